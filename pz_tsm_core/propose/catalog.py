"""What an Object catalogue is good for: its release, its fluxes, and the dust maps beside it."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from pz_tsm_core.dust import default_directory, get_map, is_fits
from pz_tsm_core.errors import Code, Problems, refuse
from pz_tsm_core.files import expanded
from pz_tsm_core.model.release import Release
from pz_tsm_core.propose.findings import Finding
from pz_tsm_core.releases import find_release, get_release, is_own, release_keys
from pz_tsm_core.sky.catalog import open_catalog, require_hats

#: The file by which a mock sky knows itself: what lies beside it is everybody's.
_MOCK = "mock.json"
#: Where a mock sky keeps its dust maps, and where a person may.
_DUST = "dust"


@dataclass(frozen=True)
class Sky:
    """The part of a recipe that follows from an Object catalogue.

    Parameters
    ----------
    profile : the file of the release, if it is one of the user's own
    public : it is known to be everybody's, whatever the release's data rights say
    flux, bands : the first kind of flux that most bands have
    dust : folder of the dust maps, if there are any
    """

    path: Path
    release: Release
    profile: Path | None
    public: bool
    flux: str
    bands: tuple[str, ...]
    dust: Path | None
    findings: tuple[Finding, ...]


def look_at_catalog(path: Path, release: str | None, dust: Path | None) -> Sky:
    """See which release a catalogue is of and which fluxes it has.

    Parameters
    ----------
    release : key of a release profile, or a YAML file; by default the one whose columns are there
    dust : folder of the dust maps; by default `dust` beside the catalogue, or the usual one, if it
        has them

    Raises
    ------
    TsmError
        `catalog.invalid`, `release.unknown`, `catalog.missing-column`, `dust.map`
    """
    require_hats(path)
    rows, names = _schema(path)
    profile = find_release(release) if release else _guessed(path, names)
    _require(profile, path, names)
    kinds = profile.flux_kinds(names)
    flux, bands = next(iter(kinds.items()))
    maps = _dust_maps(path, dust)
    public = (path.parent / _MOCK).is_file()
    alike = [] if release or public else _alike(profile, names)
    findings = _findings(profile, rows, kinds, public=public, maps=maps, alike=alike)
    own = expanded(release) if release and is_own(release) else None
    return Sky(path, profile, own, public, flux, bands, maps, tuple(findings))


def _schema(path: Path) -> tuple[int, frozenset[str]]:
    import lsdb

    catalog = open_catalog(lsdb, path)
    return int(catalog.hc_structure.catalog_info.total_rows), frozenset(
        catalog.hc_structure.schema.names)


def _guessed(path: Path, names: Collection[str]) -> Release:
    """The release that the columns fit best; of equals the first by its key."""
    ranked = sorted(map(get_release, release_keys()), key=lambda each: _points(each, names),
                    reverse=True)
    if not ranked or not _points(ranked[0], names)[0]:
        raise refuse(
            Code.CATALOG_COLUMN, str(path), found=f"columns {', '.join(sorted(names)[:40])}",
            expected="the columns of one of " + ", ".join(release_keys()),
            remedy="give an LSST Object catalogue, or say with --release which it is of: a key, "
                   "or a YAML file of your own (docs/how-to/own_catalogue.md)",
        )
    return ranked[0]


def _points(release: Release, names: Collection[str]) -> tuple[int, int]:
    """Fluxes of the release that are there, and how little else of it is not."""
    if not set(release.required) <= set(names):
        return 0, 0
    others = {release.ebv, release.extendedness} - {None}
    return sum(map(len, release.flux_kinds(names).values())), -len(others - set(names))


def _alike(release: Release, names: Collection[str]) -> list[str]:
    """Other releases that the columns fit as well."""
    own = _points(release, names)
    return [key for key in release_keys()
            if key != release.key and _points(get_release(key), names) == own]


def _require(release: Release, path: Path, names: Collection[str]) -> None:
    """Refuse a catalogue without what every match reads."""
    problems = Problems()
    for name in release.required:
        if name not in names:
            problems.add(Code.CATALOG_COLUMN, f"{path}: column {name}", found="no such column",
                         expected=f"the columns of {release.name}",
                         remedy="say the release with --release, or give another catalogue")
    if not release.flux_kinds(names):
        problems.add(Code.CATALOG_COLUMN, str(path), found="no flux with its error in any band",
                     expected="one of " + ", ".join(release.flux_types),
                     remedy="give the Object table with its fluxes")
    problems.raise_if_any()


def _dust_maps(catalog: Path, dust: Path | None) -> Path | None:
    sfd = get_map("sfd")
    if dust is not None:
        sfd.require(dust)
        return dust
    usual = (catalog.parent / _DUST, Path(default_directory()))
    return next((folder for folder in usual if all(map(is_fits, sfd.paths(folder)))), None)


def _findings(
    release: Release, rows: int, kinds: dict[str, tuple[str, ...]], *, public: bool,
    maps: Path | None, alike: Sequence[str],
) -> Iterator[Finding]:
    yield Finding("catalog", f"{rows} rows with the columns of {release.name}")
    if alike:
        yield Finding("catalog", f"the columns fit {', '.join(alike)} as well; say which with "
                                 "--release", check=True)
    if public:
        yield Finding("catalog", "a mock sky, and so everybody's; the release itself asks for the "
                                 f"right {release.data_rights}")
    elif release.data_rights:
        yield Finding("catalog", f"for holders of its data rights: tsm run --right "
                                 f"{release.data_rights}", check=True)
    told = "; ".join(f"{kind} in {''.join(bands)}" for kind, bands in kinds.items())
    yield Finding("flux", f"there are: {told}")
    if release.dereddened:
        yield Finding("dereddening", "the fluxes are corrected already, as the release says")
    elif maps is None:
        yield Finding("dereddening", "no dust maps were given (--dust FOLDER), lie beside the "
                                     "catalog or were fetched (tsm dustmaps fetch sfd): magnitudes "
                                     "are not corrected", check=True)
