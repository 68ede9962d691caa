import pytest

from pz_tsm_core.mock.own import write_own_table
from pz_tsm_core.products import put
from pz_tsm_core.service import load_site
from pz_tsm_core.store import open_store


@pytest.fixture
def written(tmp_path):
    """Write the file of a site; give its path."""
    def write(text):
        path = tmp_path / "site.yaml"
        path.write_text(text, "utf-8")
        return path

    return write


@pytest.fixture
def site(mock_sky, written):
    """A service with the mock sky, and one table that somebody put."""
    read = load_site(written(f"""\
schema: 1
store: store
results: {{directory: results, url: "https://pz.example.org/results"}}
catalogs:
  mock: {{path: {mock_sky.root}/object_collection, release: dp1, access: {{kind: public}}}}
  absent: {{path: nowhere, release: dp02}}
dust: {mock_sky.root}/dust
rights: [rubin]
"""))
    write_own_table(mock_sky)
    put(mock_sky.root / "my_redshifts.csv", store=read.store)
    return read


@pytest.fixture
def store(site):
    return open_store(site.store, site.principal("alice"))
