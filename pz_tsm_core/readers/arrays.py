"""Arrays of numpy as Arrow holds them: nothing rounded, no padding, no odd byte order."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from pz_tsm_core.readers.source import Source


def arrow_type(dtype: np.dtype[Any]) -> Any:
    """The Arrow type of single values of a numpy type; None for what is no number or truth."""
    if dtype.kind not in "biuf" or dtype.itemsize > 8 or dtype.shape:
        return None
    wide = np.dtype(np.float32) if dtype == np.float16 else dtype.newbyteorder("=")
    return pa.from_numpy_dtype(wide)


def numbers(values: npt.NDArray[Any], mask: npt.NDArray[np.bool_] | None = None) -> pa.Array:
    """Numbers or truth values; null under the mask."""
    plain = arrow_type(values.dtype).to_pandas_dtype()
    return pa.array(values.astype(plain, copy=False), mask=mask)


def fixed_text(raw: npt.NDArray[np.bytes_], name: str, source: Source) -> pa.Array:
    """Texts of fixed width in UTF-8, each up to its first NUL.

    Raises
    ------
    TsmError
        `file.damaged` for bytes that are no UTF-8.
    """
    text = as_text(pa.array(np.ascontiguousarray(raw)), name, source)
    if pc.any(pc.match_substring(text, "\0")).as_py():
        text = pc.replace_substring_regex(text, "(?s)\0.*", "")
    return text


def as_text(raw: pa.Array, name: str, source: Source) -> pa.Array:
    """Bytes as text; `file.damaged` for bytes that are no UTF-8."""
    try:
        return raw.cast(pa.string())
    except pa.ArrowInvalid:
        raise source.damaged(f"bytes in `{name}` that are no text in UTF-8") from None
