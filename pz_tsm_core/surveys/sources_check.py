"""What is wrong with `sources` of a definition, as far as it can be told without asking anybody."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterator
from ipaddress import ip_address
from urllib.parse import SplitResult, parse_qsl, urlsplit, urlunsplit

from pz_tsm_core.errors import Code, Problem
from pz_tsm_core.model.survey import USER_ORDINAL, Source, Survey

_WEB = ("https", "http")

_VIZIER = re.compile(
    r"(?:[IVX]+|B)/[\w.+-]+/[\w.+-]+"  # VII/250/2dfgrs
    r"|J/(?:other/)?[\w+&]+/[\w.+-]+/[\w.+-]+/[\w.+-]+")  # J/A+A/647/A150/cdfs
_NAME = re.compile(r"[A-Za-z_]\w*", re.ASCII)
_TABLE = r'(?:"[^"]+"|[A-Za-z_]\w*)(?:\.(?:"[^"]+"|[A-Za-z_]\w*))*'
_COLUMN = rf"[A-Za-z_]\w*\.{_TABLE}"
_TAP = re.compile(r'(?:"[^"]+"|[\w./+&-])+', re.ASCII)
_JOIN = re.compile(
    rf"{_TABLE} AS (\w+)(?: (?:LEFT )?JOIN {_TABLE} AS (\w+) ON {_COLUMN} = {_COLUMN})+",
    re.ASCII | re.IGNORECASE)
_SECRET = re.compile(r"token|passw|secret|signature|credential|api_?key", re.IGNORECASE)


def check_sources(
    survey: Survey, readable: Callable[[str], bool] = lambda _: True
) -> Iterator[Problem]:
    """Yield every mistake of where a catalogue is said to be published; nobody is asked.

    Parameters
    ----------
    readable : whether a file of that name can be read; `readers.is_readable`, where it is at hand
    """
    for number, source in enumerate(survey.sources):
        where = f"{survey.key}: sources.{number}"
        try:
            urlsplit(source.url)
        except ValueError as error:
            yield _wrong(f"{where}.url", "", f"an address ({error})", "correct it")
            continue
        yield from _CHECKS[source.service](source, where)
        if source.service in {"https", "s3"} and not any(map(readable, _file_names(source.url))):
            yield _wrong(f"{where}.url", _shown(source.url), "a file that can be read, by its "
                         "ending", "give the address of the file, or call it a `page`")
        if source.url:
            yield from _address(source, where, public=survey.ordinal < USER_ORDINAL)
        yield from _columns(source, survey, where)


def _wrong(where: str, found: str, expected: str, remedy: str) -> Problem:
    return Problem(Code.SURVEY_INVALID, where, f"`{found}`" if found else "nothing", expected,
                   remedy)


def _vizier(source: Source, where: str) -> Iterator[Problem]:
    if not _VIZIER.fullmatch(source.table):
        yield _wrong(f"{where}.table", source.table, "the full name of one table of VizieR",
                     "write it as in `J/A+A/647/A150/cdfs` or `VII/250/2dfgrs`")


def _tap(source: Source, where: str) -> Iterator[Problem]:
    if not (_TAP.fullmatch(source.table) or _JOIN.fullmatch(source.table)):
        yield _wrong(f"{where}.table", source.table, "a table, or tables joined",
                     "write it as in `schema.table`, or `one AS a JOIN two AS b ON a.id = b.id`")
    yield from _needs_url(source, where, _WEB)


def _sdss(source: Source, where: str) -> Iterator[Problem]:
    yield from _plain_table(source, where)
    if not re.fullmatch(r"\d{2}", source.release):
        yield _wrong(f"{where}.release", source.release, "the number of a data release",
                     "add it, as in `release: \"17\"`")


def _plain_table(source: Source, where: str) -> Iterator[Problem]:
    if not _NAME.fullmatch(source.table):
        yield _wrong(f"{where}.table", source.table, "the name of a table",
                     "write it in letters, digits and underscores")


def _file(source: Source, where: str) -> Iterator[Problem]:
    yield from _needs_url(source, where, _WEB)


def _object(source: Source, where: str) -> Iterator[Problem]:
    yield from _needs_url(source, where, ("s3",))
    if source.url.startswith("s3://") and not urlsplit(source.url).path.strip("/"):
        yield _wrong(f"{where}.url", _shown(source.url), "s3://bucket/key",
                     "add the key of the object")


def _catalogue(source: Source, where: str) -> Iterator[Problem]:
    yield from _needs_url(source, where, (*_WEB, "s3"))


def _page(source: Source, where: str) -> Iterator[Problem]:
    yield from _needs_url(source, where, _WEB)
    if source.columns or source.part:
        yield _wrong(where, "page", "neither `columns` nor `part` for what people download",
                     "leave them out")


def _anything(source: Source, where: str) -> Iterator[Problem]:  # noqa: ARG001
    return iter(())


#: What each service needs to know.
_CHECKS: dict[str, Callable[[Source, str], Iterator[Problem]]] = {
    "vizier": _vizier, "tap": _tap, "sdss": _sdss, "gama": _plain_table, "ned": _anything,
    "https": _file, "s3": _object, "hats": _catalogue, "file": _anything, "page": _page,
}


def _needs_url(source: Source, where: str, schemes: tuple[str, ...]) -> Iterator[Problem]:
    if urlsplit(source.url).scheme not in schemes:
        yield _wrong(f"{where}.url", _shown(source.url),
                     "an address that begins with " + " or ".join(f"{one}://" for one in schemes),
                     "correct it")


def _file_names(url: str) -> Iterator[str]:
    """What may be the name of the file behind an address; some stand in its query."""
    parts = urlsplit(url)
    yield parts.path.rpartition("/")[2]
    yield from (value for _, value in parse_qsl(parts.query))


def _shown(url: str) -> str:
    """An address without what may be secret in it."""
    parts = urlsplit(url)
    return urlunsplit((parts.scheme, parts.netloc.rpartition("@")[2], parts.path, "", ""))


def _address(source: Source, where: str, *, public: bool) -> Iterator[Problem]:
    """Whether anybody may know an address, and reach it."""
    parts = urlsplit(source.url)
    if "@" in parts.netloc or any(_SECRET.search(name) for name, _ in parse_qsl(parts.query)):
        yield Problem(Code.SURVEY_INVALID, f"{where}.url", "an address with a secret in it",
                      "an address that everybody may read",
                      "take it out; credentials come from the environment")
    if public and parts.scheme in _WEB and not _is_public(parts):
        yield _wrong(f"{where}.url", _shown(source.url), "a host that everybody reaches",
                     "give the public address")


def _is_public(parts: SplitResult) -> bool:
    """Whether a host has a name, or an address, of the public internet."""
    host = (parts.hostname or "").rstrip(".")
    try:
        return ip_address(host).is_global
    except ValueError:
        return "." in host and not host.endswith((".localhost", ".local", ".internal", ".lan"))


def _columns(source: Source, survey: Survey, where: str) -> Iterator[Problem]:
    for native in sorted(source.columns.keys() - survey.native_columns):
        yield _wrong(f"{where}.columns", native, "a native column of the definition",
                     "one of " + ", ".join(sorted(survey.native_columns)))
    there = Counter(source.columns.get(native, native) for native in survey.native_columns)
    for name in sorted(name for name, times in there.items() if times > 1):
        yield _wrong(f"{where}.columns", name, "a column of its own for each native one",
                     "correct the names")
