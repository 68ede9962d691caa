"""Dust maps from where they are published to the folder in which dustmaps reads them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from pz_tsm_core.dust import DustMap, default_directory, get_map
from pz_tsm_core.errors import Code, Problems, refuse
from pz_tsm_core.files import expanded
from pz_tsm_core.remote import Reach, digest_of, plainly, shown
from pz_tsm_core.retrieval.scratch import parts

#: Where transfers lie that are not whole yet, below the folder of the maps.
_PARTS = ".parts"


@dataclass(frozen=True)
class FetchedMap:
    """A map that is in its folder, whole and checked.

    Parameters
    ----------
    directory : of the maps, from the root
    state : whether it came now, or was `there`
    """

    name: str
    directory: Path
    state: Literal["new", "there"]

    @property
    def recipe(self) -> str:
        """The line by which a recipe takes it."""
        usual = self.directory == Path(default_directory()).absolute()
        where = "" if usual else f", directory: {self.directory}"
        return f"photometry: {{dereddening: {{map: {self.name}{where}}}}}"


def fetch_map(name: str, directory: str | Path = "", *, reach: Reach) -> FetchedMap:
    """Bring a dust map into a folder, laid out as dustmaps wants it.

    Every file is compared with the md5 that its archive tells, and none is put in its place before
    all have come. A transfer that was cut is gone on with by the next call.

    Parameters
    ----------
    name : of a map, as `tsm dustmaps` lists them
    directory : of the maps; by default the usual one, in which recipes look

    Raises
    ------
    TsmError
        `recipe.bad-value` for an unknown name; `output.exists` where other files of those names
        are; `service.*`, `remote.*`, `source.changed`, `store.io`. Then the map is as it was.
    """
    dust_map = get_map(name)
    root = expanded(directory or default_directory()).absolute()
    md5s = _published(dust_map, reach)
    paths = dict(zip(dust_map.files, dust_map.paths(root), strict=True))
    _require_no_others(dust_map, paths.values(), md5s)
    lacking = {file: path for file, path in paths.items() if not path.exists()}
    if not lacking:
        return FetchedMap(name, root, "there")
    with parts(root / _PARTS, name, reach.deadline) as folder:
        for file in lacking:
            came = folder / file.name
            if not (came.exists() and digest_of(came, "md5") == md5s[file.name]):
                reach.download(file.url, came, md5=md5s[file.name])
        for file, path in lacking.items():
            path.parent.mkdir(parents=True, exist_ok=True)
            (folder / file.name).replace(path)
    return FetchedMap(name, root, "new")


def _require_no_others(
    dust_map: DustMap, paths: Iterable[Path], md5s: Mapping[str, str]
) -> None:
    """Refuse to write over files that are something else: a map of one's own, or a mock sky's."""
    problems = Problems()
    for path in paths:
        if path.exists() and digest_of(path, "md5") != md5s[path.name]:
            problems.add(Code.OUTPUT_EXISTS, str(path), found="another file of that name",
                         expected=f"that of {dust_map.name}, or none",
                         remedy="remove it, or name another --directory")
    problems.raise_if_any()


def _published(dust_map: DustMap, reach: Reach) -> Mapping[str, str]:
    """The md5 of every file, by its name."""
    told = _told_by_dataverse(dust_map.dataset, reach) if dust_map.dataset else {}
    md5s = {file.name: file.md5 or told.get(file.name, "") for file in dust_map.files}
    if lacking := [name for name, md5 in md5s.items() if not re.fullmatch("[0-9a-f]{32}", md5)]:
        raise refuse(Code.SOURCE_CHANGED, shown(dust_map.dataset),
                     found=f"no md5 of {', '.join(lacking)}", expected="one of every file",
                     remedy="see what has changed there; fetch the files by hand")
    return md5s


def _told_by_dataverse(url: str, reach: Reach) -> dict[str, str]:
    """The md5 of each file of a data set: `GET /api/datasets/:persistentId` of a Dataverse."""
    where = shown(url)
    with plainly(where):
        reply = reach.session.get(url)
        reply.raise_for_status()
    try:
        files: list[Any] = reply.json()["data"]["latestVersion"]["files"]
        return {str(file["dataFile"]["filename"]): str(file["dataFile"]["md5"])
                for file in files if "md5" in file["dataFile"]}
    except (ValueError, LookupError, TypeError, RecursionError) as error:
        raise refuse(Code.SERVICE_REFUSED, where, found="no record of a data set",
                     expected="the files of the data set in JSON",
                     remedy="try later: the service may be out of order") from error
