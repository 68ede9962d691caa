"""What an Object catalogue is good for: its release, its fluxes, and the dust maps beside it."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path

from pz_tsm_core.dust import default_directory, get_map, is_fits
from pz_tsm_core.errors import Code, Problems, refuse
from pz_tsm_core.model.release import Release
from pz_tsm_core.propose.findings import Finding
from pz_tsm_core.releases import get_release, release_keys
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
    public : it is known to be everybody's, whatever the release's data rights say
    flux, bands : the first kind of flux that most bands have
    dust : folder of the dust maps, if there are any
    """

    path: Path
    release: Release
    public: bool
    flux: str
    bands: tuple[str, ...]
    dust: Path | None
    findings: tuple[Finding, ...]


def look_at_catalog(path: Path, release: str | None, dust: Path | None) -> Sky:
    """See which release a catalogue is of and which fluxes it has.

    Parameters
    ----------
    release : key of a release profile; by default the one whose columns are there
    dust : folder of the dust maps; by default `dust` beside the catalogue, or the usual one, if it
        has them

    Raises
    ------
    TsmError
        `catalog.invalid`, `release.unknown`, `catalog.missing-column`, `dust.map`
    """
    require_hats(path)
    rows, names = _schema(path)
    profile = get_release(release) if release else _guessed(path, names)
    _require(profile, path, names)
    kinds = _flux_kinds(profile, names)
    flux, bands = next(iter(kinds.items()))
    maps = _dust_maps(path, dust)
    public = (path.parent / _MOCK).is_file()
    findings = _findings(profile, rows, kinds, public=public, maps=maps)
    return Sky(path, profile, public, flux, bands, maps, tuple(findings))


def _schema(path: Path) -> tuple[int, frozenset[str]]:
    import lsdb

    catalog = open_catalog(lsdb, path)
    return int(catalog.hc_structure.catalog_info.total_rows), frozenset(
        catalog.hc_structure.schema.names)


def _flux_kinds(release: Release, names: Collection[str]) -> dict[str, tuple[str, ...]]:
    """Kinds of flux with the bands that are there, those of most bands first."""
    found = {kind: tuple(band for band in release.bands if set(columns.of(band)) <= set(names))
             for kind, columns in release.flux_types.items()}
    kept = {kind: bands for kind, bands in found.items() if bands}
    return dict(sorted(kept.items(), key=lambda kind: -len(kind[1])))


def _guessed(path: Path, names: Collection[str]) -> Release:
    """The release of which the most fluxes are there; of equals the first by its key."""
    known = [get_release(key) for key in sorted(release_keys())]
    ranked = sorted(known, key=lambda release: -_points(release, names))
    if not ranked or not _points(ranked[0], names):
        raise refuse(
            Code.CATALOG_COLUMN, str(path), found=f"columns {', '.join(sorted(names)[:40])}",
            expected="the columns of one of " + ", ".join(release_keys()),
            remedy="give an LSST Object catalogue, or say its release with --release",
        )
    return ranked[0]


def _points(release: Release, names: Collection[str]) -> int:
    if not {release.id, release.ra, release.dec} <= set(names):
        return 0
    return sum(map(len, _flux_kinds(release, names).values()))


def _require(release: Release, path: Path, names: Collection[str]) -> None:
    """Refuse a catalogue without what every match reads."""
    problems = Problems()
    for name in (release.id, release.ra, release.dec):
        if name not in names:
            problems.add(Code.CATALOG_COLUMN, f"{path}: column {name}", found="no such column",
                         expected=f"the columns of {release.name}",
                         remedy="say the release with --release, or give another catalogue")
    if not _flux_kinds(release, names):
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
    maps: Path | None,
) -> Iterator[Finding]:
    yield Finding("catalog", f"{rows} rows with the columns of {release.name}")
    if public:
        yield Finding("catalog", "a mock sky, and so everybody's; the release itself asks for the "
                                 f"right {release.data_rights}")
    elif release.data_rights:
        yield Finding("catalog", f"for holders of its data rights: tsm run --right "
                                 f"{release.data_rights}", check=True)
    told = "; ".join(f"{kind} in {''.join(bands)}" for kind, bands in kinds.items())
    yield Finding("flux", f"there are: {told}")
    if maps is None:
        yield Finding("dereddening", "no dust maps were given (--dust FOLDER), lie beside the "
                                     "catalog or were fetched (tsm dustmaps fetch sfd): magnitudes "
                                     "are not corrected", check=True)
