"""Maps of every kind, in their real formats, of one field that can be written down."""

from __future__ import annotations

from pathlib import Path

import pytest

from pz_tsm_core.mock.dust import write_healpix_map, write_sfd_maps


@pytest.fixture(scope="session")
def maps(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with all maps, laid out as dustmaps wants `data_dir`."""
    folder = tmp_path_factory.mktemp("dustmaps")
    write_sfd_maps(folder)
    for name in ("csfd", "planck", "gnilc"):
        write_healpix_map(folder, name)
    return folder
