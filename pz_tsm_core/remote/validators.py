"""By what a server tells one edition of a file from the next: ETag and Last-Modified."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from email.utils import parsedate_to_datetime

_LONGEST_NUMBER = 18  # digits: fewer than 2**63


@dataclass(frozen=True)
class Edition:
    """One edition of a file, as headers of a reply tell it.

    Parameters
    ----------
    etag, modified : empty where the server does not say
    bytes : of the whole file; None where the server does not say
    """

    etag: str = ""
    modified: str = ""
    bytes: int | None = None

    @classmethod
    def of(cls, headers: Mapping[str, str]) -> Edition:
        """As a reply says, be it whole or partial; a date that is none does not count."""
        modified = headers.get("Last-Modified", "").strip()
        total = headers.get("Content-Length")
        if "Content-Range" in headers:
            total = headers["Content-Range"].rpartition("/")[2]
        elif "Transfer-Encoding" in headers:
            total = None  # it would be wrong, and is not heeded
        return cls(headers.get("ETag", "").strip(), modified if _is_date(modified) else "",
                   whole_number(total))

    def differs(self, other: Edition) -> bool:
        """Whether anything that both say is not the same."""
        pairs = ((self.etag, other.etag), (self.modified, other.modified),
                 (self.bytes, other.bytes))
        return any(mine and theirs and mine != theirs for mine, theirs in pairs)

    @property
    def validator(self) -> str:
        """What tells it from others; empty where nothing does."""
        return self.etag or self.modified

    @property
    def if_range(self) -> str:
        """By which a server may be asked for the rest; empty where it may not.

        A weak ETag says that two bodies mean the same, not that their bytes are equal.
        """
        return self.modified if self.etag.startswith("W/") else self.validator


def unless_unchanged(validator: str) -> dict[str, str]:
    """Headers by which a server is asked only for what is new since then."""
    if not validator:
        return {}
    return {"If-Modified-Since" if _is_date(validator) else "If-None-Match": validator}


def whole_number(text: str | None) -> int | None:
    """A count in a header; None for anything else."""
    text = (text or "").strip()
    if not (text.isascii() and text.isdigit() and len(text) <= _LONGEST_NUMBER):
        return None
    return int(text)


def range_start(headers: Mapping[str, str]) -> int | None:
    """Of which byte a partial reply begins; None where it does not say so."""
    unit, _, span = headers.get("Content-Range", "").strip().partition(" ")
    return whole_number(span.partition("-")[0]) if unit.lower() == "bytes" else None


def _is_date(text: str) -> bool:
    try:
        parsedate_to_datetime(text)
    except (ValueError, TypeError, IndexError, OverflowError):
        return False
    return True
