"""What `tsm releases` tells."""

from __future__ import annotations

import pyarrow as pa
import pyarrow.parquet as pq

from pz_tsm_core.display.releases import list_releases, show_release
from pz_tsm_core.releases import release_keys


def test_every_profile_is_listed_with_who_may_see_it() -> None:
    page = list_releases()
    rows = {row["key"]: row for row in page.grids["releases"].records}
    assert set(rows) == set(release_keys())
    assert rows["dp2"]["data rights"] == "rubin"
    assert rows["generic"]["data rights"] == "everybody's"


def test_a_catalogue_tells_which_kinds_of_flux_it_has(tmp_path) -> None:
    (tmp_path / "hats.properties").touch()
    (tmp_path / "dataset").mkdir()
    names = ["r_psfFlux", "r_psfFluxErr", "r_psfFlux_flag", "i_psfFlux", "i_psfFluxErr"]
    schema = pa.schema([(name, pa.float32()) for name in names])
    pq.write_metadata(schema, tmp_path / "dataset" / "_common_metadata")
    rows = show_release("dp1", tmp_path).grids["flux_types"].records
    assert {row["kind"]: row["there in"] for row in rows if row["there in"]} == {"psf": "r"}
    assert "there in" not in show_release("dp1").grids["flux_types"].headings
