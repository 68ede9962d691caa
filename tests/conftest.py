"""What many tests share: a small mock sky, and the whole pipeline run over it without Prefect."""

from __future__ import annotations

import uuid
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import HealthCheck, settings
from upath import UPath

from flows.order import order_for
from flows.pins import pin
from pz_tsm_core.mock import MockPaths, MockSky, make_mock
from pz_tsm_core.model.artifact import ArtifactRef, Manifest
from pz_tsm_core.model.recipe import Recipe
from pz_tsm_core.progress import Progress
from pz_tsm_core.recipes import load_recipe
from pz_tsm_core.store import Store, open_store
from tasks.stage import StageEvent, StageTask, listener
from tests.chromium import Tab, chromium, empty_tab
from tests.moto import Moto
from tests.web import Web

# A loaded machine is no failure of a property.
settings.register_profile("house", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("house")

#: Runs in RAIL's environment, not in ours.
collect_ignore = ["services/rail_knn.py"]

RECIPE = Path(__file__).parents[1] / "pz_tsm_core" / "mock" / "recipe.yaml"
SHARED = Path(__file__).parents[2] / "shared" / "data"


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Real data of others; the tests that need it are skipped where it is not."""
    if not SHARED.is_dir():
        pytest.skip("the folder ../shared/data with real catalogues is not here")
    return SHARED


@dataclass(frozen=True)
class Done:
    """A recipe run through: its store, and the manifest of every stage by label.

    Parameters
    ----------
    heard : the last that each stage told of its progress, by what it counts
    """

    store: Store
    manifests: dict[str, Manifest]
    heard: dict[str, dict[str, Progress]]

    def table(self, stage: str, name: str) -> pa.Table:
        """A table that a stage left."""
        return self.store.read_table(self.manifests[stage].ref, name)

    @property
    def contents(self) -> dict[str, str]:
        """Content digest of every stage's artifact."""
        return {label: manifest.content for label, manifest in self.manifests.items()}


def run_through(recipe: Recipe, store: Store) -> Done:
    """Carry out the order of a recipe stage by stage, in this thread."""
    manifests: dict[str, Manifest] = {}
    heard: dict[str, dict[str, Progress]] = defaultdict(dict)

    def do(stage: StageTask[...], /, **parameters: Any) -> ArtifactRef:
        manifest = stage.run(store, **parameters)
        manifests[stage.label(**parameters)] = manifest
        return manifest.ref

    def hear(event: StageEvent) -> None:
        if event.progress:
            heard[event.label][event.progress.unit] = event.progress

    with pytest.MonkeyPatch.context() as patch, heard_by(hear):
        patch.setattr("tasks.stage.EVERY_SECONDS", 0.0)
        order_for(recipe)(recipe, pin(recipe, store), do)
    return Done(store, manifests, heard)


@contextmanager
def heard_by(hear: Callable[[StageEvent], None]) -> Iterator[None]:
    """Let somebody hear what happens to stages."""
    token = listener.set(hear)
    try:
        yield
    finally:
        listener.reset(token)


@pytest.fixture(scope="session")
def run() -> Callable[[Recipe, Store], Done]:
    """`run_through`, for tests that run recipes of their own."""
    return run_through


@pytest.fixture
def web(monkeypatch: pytest.MonkeyPatch) -> Iterator[Web]:
    """A web server on this machine, which this process and its children may ask."""
    running = Web()
    monkeypatch.setenv("PZ_TSM_ALLOW_HOSTS", running.host)
    yield running
    running.stop()


@pytest.fixture(scope="session")
def mock_sky(tmp_path_factory: pytest.TempPathFactory) -> MockPaths:
    """A small sky with all that is hard: poles of pixels, repeats, stars, blunders, no ids."""
    spec = MockSky(n_objects=12_000, n_redshifts=2_400, n_hard=12, seed=7)
    paths = make_mock(tmp_path_factory.mktemp("sky") / "mock", spec)
    (paths.root / "recipe.yaml").write_text(RECIPE.read_text("utf-8"), "utf-8")
    return paths


@pytest.fixture(scope="session")
def mock_recipe(mock_sky: MockPaths) -> Recipe:
    """The recipe that comes with a mock sky."""
    return load_recipe(mock_sky.root / "recipe.yaml")


@pytest.fixture(scope="session")
def mock_run(mock_recipe: Recipe, tmp_path_factory: pytest.TempPathFactory) -> Done:
    """The whole pipeline over the small mock sky."""
    return run_through(mock_recipe, open_store(tmp_path_factory.mktemp("store")))


@pytest.fixture(scope="session")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Address of a running Chromium's DevTools."""
    with chromium(tmp_path_factory.mktemp("chromium")) as address:
        yield address


@pytest.fixture
def tab(browser: str) -> Iterator[Tab]:
    """An empty page."""
    with empty_tab(browser) as page:
        yield page


@pytest.fixture(scope="session")
def moto() -> Iterator[Moto]:
    """A local S3 server that enforces conditions."""
    with Moto.running() as server:
        yield server


@pytest.fixture
def s3(moto: Moto, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> UPath:
    """An empty place in a bucket of the local server, for this process and its children."""
    for name, value in (moto.environment | {"XDG_CACHE_HOME": str(tmp_path / "cache")}).items():
        monkeypatch.setenv(name, value)
    return UPath(f"s3://{moto.bucket}/{uuid.uuid4().hex}", use_listings_cache=False, key=moto.key,
                 secret=moto.secret, endpoint_url=moto.url)


@pytest.fixture(params=["posix", "s3"])
def root(request: pytest.FixtureRequest, tmp_path: Path) -> Path | UPath:
    """Where a store may be: a folder, and a place on S3."""
    return tmp_path / "store" if request.param == "posix" else request.getfixturevalue("s3")
