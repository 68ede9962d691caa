"""What tests of the readers share."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from pz_tsm_core.errors import TsmError
from pz_tsm_core.readers import FORMATS, confined, read_table
from pz_tsm_core.readers.child import described, streamed

Refusal = Callable[..., TsmError]


@pytest.fixture(scope="session")
def refusal() -> Refusal:
    """Read what must be refused, and give back the refusal."""

    def read(path, **options) -> TsmError:
        with pytest.raises(TsmError) as caught:
            read_table(path, **options)
        return caught.value

    return read


@pytest.fixture
def unconfined(monkeypatch: pytest.MonkeyPatch) -> None:
    """Parse in this process: what a parser makes of a file is not a matter of where it runs."""
    for task, here in (("stream", streamed), ("describe", described)):
        monkeypatch.setattr(confined, task,
                            lambda name, source, here=here: here(FORMATS[name].reader(), source))
