"""What a reader is asked for, and the refusals that all formats share."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path

from pz_tsm_core.errors import Code, Problems, TsmError, nearest, refuse
from pz_tsm_core.model.limits import Limits

#: Rows of a batch, unless fewer are asked for: those of a row group as the store writes them.
BATCH_ROWS = 131_072

#: Columns that pandas adds for its row labels.
ROW_LABELS = re.compile(r"__index_level_\d+__")


@dataclass(frozen=True)
class Source:
    """A file to read and how much of it.

    Parameters
    ----------
    path : where the bytes lie
    columns : the columns wanted, in this order; None for all
    where : the file as people know it, which `path` is not when the bytes were unfolded
    table : which table of a file that holds several; None for the only or first one
    first : so many rows, from the first on; None for all
    batch_rows : at most so many rows in a batch
    """

    path: Path
    columns: tuple[str, ...] | None
    limits: Limits
    where: str
    table: str | None = None
    first: int | None = None
    batch_rows: int = BATCH_ROWS

    def at_most(self, rows: int) -> int:
        """How many of so many rows are wanted."""
        return rows if self.first is None else min(rows, self.first)

    def select(self, available: Sequence[str]) -> list[str]:
        """The columns to read of those that the file has.

        Raises
        ------
        TsmError
            with every wanted column that is missing or there twice.
        """
        count, problems = Counter(available), Problems()
        if len(count) > self.limits.max_columns:
            raise self.too_large(f"{len(count)} columns", f"{self.limits.max_columns}")
        if not count:
            raise self.empty("no columns")
        missing = [name for name in self.columns or () if name not in count]
        if missing:
            near = [f"`{name}`: {nearest(name, count)}" for name in missing
                    if get_close_matches(name, count)]
            problems.add(Code.TABLE_MISSING_COLUMN, self.where,
                         found="no column " + ", ".join(f"`{name}`" for name in missing),
                         expected="them among the columns " + ", ".join(sorted(count)),
                         remedy="; ".join(near) or "is it the file of another survey?")
        wanted = self.columns if self.columns is not None else tuple(
            name for name in count if not ROW_LABELS.fullmatch(name)
        )
        for name in wanted:
            if not name.isprintable():
                problems.add(Code.FILE_DAMAGED, self.where, found=f"the column name {name!r}",
                             expected="names that can be printed",
                             remedy="rename it, or name the columns to read, without it")
            if count[name] > 1:
                problems.add(Code.TABLE_DUPLICATE_COLUMN, self.where,
                             found=f"{count[name]} columns `{name}`", expected="one",
                             remedy="rename or remove the others")
        problems.raise_if_any()
        if not wanted:
            raise self.empty("no columns to read")
        return list(dict.fromkeys(wanted))

    def check_size(self, rows: int, bytes_per_row: int) -> None:
        """Refuse before reading what would not fit, by rows times width: headers say less."""
        if rows == 0:
            raise self.empty("no rows")
        if rows > self.limits.max_rows:
            raise self.too_large(f"{rows} rows", f"{self.limits.max_rows}")
        self.check_memory(rows * bytes_per_row)

    def check_memory(self, bytes_: int) -> None:
        """Refuse what takes more memory than the limit."""
        if bytes_ > self.limits.max_memory:
            raise self.too_large(f"{bytes_} bytes of values", f"{self.limits.max_memory}")

    def damaged(
        self,
        found: str,
        expected: str = "a whole file of its format",
        remedy: str = "copy or download it again and compare checksums",
    ) -> TsmError:
        """The refusal of a file that contradicts itself."""
        # Libraries name the file that they opened, which may be one that people never saw.
        found = " ".join(found.replace(str(self.path), self.where).split())
        return refuse(Code.FILE_DAMAGED, self.where, found=found, expected=expected, remedy=remedy)

    def empty(self, found: str) -> TsmError:
        """The refusal of a file without rows."""
        return refuse(Code.TABLE_EMPTY, self.where, found=found,
                      expected="at least one row", remedy="check how the file was made")

    def too_large(self, found: str, limit: str) -> TsmError:
        """The refusal of a file beyond the limits."""
        return refuse(Code.FILE_LIMIT, self.where, found=found, expected=f"at most {limit}",
                      remedy="read fewer columns, divide the file, or raise the limit")

    def too_slow(self, what: str, seconds: float) -> TsmError:
        """The refusal of a file that takes longer than the limit."""
        return refuse(Code.FILE_LIMIT, self.where, found=f"more than {seconds:g} s for {what}",
                      expected="a file that takes its size and no more",
                      remedy="divide the file, save it as Parquet, or raise the limit")

    def unsupported(self, found: str, expected: str, remedy: str) -> TsmError:
        """The refusal of a file that is whole, but of a kind that is not read."""
        return refuse(Code.FILE_FORMAT, self.where, found=found, expected=expected, remedy=remedy)

    def unusable(self, columns: dict[str, str]) -> TsmError:
        """The refusal of columns that hold no single values; `columns` says what they hold."""
        found = ", ".join(f"`{name}`: {what}" for name, what in columns.items())
        return refuse(Code.TABLE_COLUMN_TYPE, self.where, found=found,
                      expected="one number, text, or true/false in each row",
                      remedy="name the columns to read, without these")
