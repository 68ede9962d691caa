"""The SFD map through our door and through dustmaps' own; the configuration stays untouched."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest
from astropy.coordinates import SkyCoord

from pz_tsm_core.dust import SfdMap, dust_digests, open_dust
from pz_tsm_core.errors import Code, TsmError
from pz_tsm_core.model.policy import Dereddening


def test_values_are_those_of_dustmaps_bit_for_bit(mock_sky) -> None:
    rng = np.random.default_rng(5)
    ra, dec = rng.uniform(0, 360, 5000), np.degrees(np.arcsin(rng.uniform(-1, 1, 5000)))
    ours = SfdMap(mock_sky.dust).ebv(ra, dec)
    from dustmaps.sfd import SFDQuery

    theirs = SFDQuery(map_dir=str(mock_sky.dust / "sfd"))(SkyCoord(ra, dec, unit="deg"))
    assert ours.dtype == np.float32
    assert np.array_equal(ours, theirs)


def test_no_map_reddens_nothing() -> None:
    dust = open_dust(Dereddening(map="none"))
    assert not dust.ebv(np.zeros(3), np.zeros(3)).any()
    assert dust_digests(Dereddening(map="none")) == {}


def test_a_map_that_is_missing_or_damaged_is_refused(tmp_path) -> None:
    with pytest.raises(TsmError) as refused:
        SfdMap(tmp_path)
    assert refused.value.codes == (Code.DUST_MAP,)
    (tmp_path / "sfd").mkdir()
    for pole in ("ngp", "sgp"):
        (tmp_path / "sfd" / f"SFD_dust_4096_{pole}.fits").write_text("no FITS")
    with pytest.raises(TsmError) as refused:
        SfdMap(tmp_path)
    assert refused.value.codes == (Code.DUST_MAP,)


def test_the_configuration_of_dustmaps_is_neither_made_nor_changed(mock_sky, tmp_path) -> None:
    code = ("import numpy; from pz_tsm_core.dust import SfdMap; "
            f"SfdMap({str(mock_sky.dust)!r}).ebv(numpy.zeros(1), numpy.zeros(1))")
    done = subprocess.run([sys.executable, "-W", "error", "-c", code], check=True,
                          env={"HOME": str(tmp_path), "PATH": ""}, capture_output=True, text=True)
    assert done.stderr == ""
    assert not (tmp_path / ".dustmapsrc").exists()
