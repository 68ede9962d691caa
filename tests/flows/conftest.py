import importlib.util
import os
import sqlite3
import subprocess
import sys
from contextlib import closing, contextmanager
from pathlib import Path

import psutil
import pytest

from flows.private_server import private_server

ROOT = Path(__file__).parents[2]
TOY_APP = Path(__file__).with_name("toy_app.py")
CATALOGUE = """\
ID,RAJ2000,DEJ2000,z,Q
1,150.10,2.20,0.5,4
2,150.11,2.21,0.1,4
3,150.12,2.22,0.2,3
4,151.90,2.90,0.3,4
"""
SURVEY = """\
schema: 1
key: {key}
ordinal: {ordinal}
name: The {key} survey
facility: VLT/VIMOS
release: R1
year: 2026
sources: [{source}]
types: {{ID: int, RAJ2000: float, DEJ2000: float, z: float, Q: int}}
columns:
  id: {{from: ID}}
  ra: {{from: RAJ2000, unit: deg}}
  dec: {{from: DEJ2000, unit: deg}}
  z: {{from: z}}
  native_flag: {{from: Q}}
quality: {{otherwise: 3, source: section 4}}
object_class: {{otherwise: galaxy, source: section 4}}
instrument_type: {{otherwise: s, source: slit spectra}}
"""


@pytest.fixture(scope="session")
def toys():
    spec = importlib.util.spec_from_file_location("toy_app", TOY_APP)
    module = importlib.util.module_from_spec(spec)
    sys.modules["toy_app"] = module
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="session")
def server(tmp_path_factory):
    """A private server for the whole session, which tests also use as somebody else's."""
    with private_server(tmp_path_factory.mktemp("homes")) as running:
        running.ready()
        yield running


@contextmanager
def spoken_to(server):
    """Let flows and clients of this process speak to a server."""
    from prefect import settings

    chosen = {
        settings.PREFECT_API_URL: server.url,
        settings.PREFECT_HOME: server.home,
        settings.PREFECT_LOGGING_TO_API_ENABLED: False,
        settings.PREFECT_LOGGING_LEVEL: "CRITICAL",
        settings.PREFECT_FLOWS_HEARTBEAT_FREQUENCY: None,
    }
    with settings.temporary_settings(chosen):
        yield


@pytest.fixture(scope="session")
def first_settings(server):
    """To whom Prefect's own threads speak between tests; alone, they would start a server."""
    with spoken_to(server):
        yield


@pytest.fixture
def prefect_client_settings(first_settings, server):
    """Let this process speak to that server, for one test: others speak to other servers."""
    with spoken_to(server):
        yield


@pytest.fixture
def toy_flow(toys, prefect_client_settings, monkeypatch):
    from flows import submission

    for name in ("pin", "deliver"):  # the toys put others in their place: for one test
        monkeypatch.setattr(submission, name, getattr(submission, name))
    return toys.toy_flow()


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """Where toy stages note what they compute."""
    monkeypatch.setenv("TOY_FOLDER", str(tmp_path))
    return tmp_path


@pytest.fixture
def store(folder, server):
    """An empty store, whose private servers find their databases migrated."""
    with closing(sqlite3.connect(server.home / "prefect.db")) as migrated:
        for name in ("server-0", "server-1"):
            home = folder / "store" / "prefect" / name
            home.mkdir(parents=True)
            with closing(sqlite3.connect(home / "prefect.db")) as copy:
                migrated.backup(copy)
    return folder / "store"


@pytest.fixture
def recipe_file(folder):
    def write(*sources, more=""):
        for source in sources:
            (folder / source).touch()
        lines = [f"    - {{survey: desi_dr1, file: {source}}}" for source in sources]
        text = "\n".join(["schema: 1", "name: toy", "redshifts:", "  surveys:", *lines, more])
        path = folder / "recipe.yaml"
        path.write_text(f"{text}\noutput: {{directory: unused}}\n")
        return path

    return write


@pytest.fixture
def define(web, folder):
    """Define a survey of one's own, whose file the web server has."""

    def survey(key, source="https"):
        web.files[f"{key}.csv"] = CATALOGUE.encode()
        (folder / "surveys").mkdir(exist_ok=True)
        place = f'{{service: {source}, url: "{web.url(f"{key}.csv")}"}}'
        text = SURVEY.format(key=key, ordinal=1_000_000 + ord(key[0]), source=place)
        (folder / "surveys" / f"{key}.yaml").write_text(text)

    return survey


@pytest.fixture
def site(folder, store, monkeypatch):
    """The file of a service with that store, which this process and its children find."""
    (folder / "surveys").mkdir(exist_ok=True)
    path = folder / "site.yaml"
    path.write_text(f"schema: 1\nstore: {store}\nsurvey_path: surveys\n"
                    "results: {directory: results}\n", "utf-8")
    monkeypatch.setenv("PZ_TSM_SITE", str(path))
    return path


@pytest.fixture
def recipe(folder):
    """A recipe that names surveys and no files."""

    def write(*entries, fetch="never", more=""):
        path = folder / "recipe.yaml"
        lines = "\n".join(f"    - {{survey: {entry}}}" for entry in entries)
        path.write_text(f"schema: 1\nname: deep\nredshifts:\n  survey_path: surveys\n"
                        f"  fetch: {fetch}\n  surveys:\n{lines}\n{more}"
                        "output: {directory: output}\n")
        return path

    return write


@pytest.fixture
def tsm(folder, store):
    """Start `tsm` with toy stages in a process of its own, and wait for no one."""
    processes = []

    def start(*arguments, **environment):
        clean = {k: v for k, v in os.environ.items() if not k.startswith("PREFECT_")}
        clean |= {"PYTHONPATH": str(ROOT), "HOME": str(folder), **environment}
        # As from a terminal, also where these tests themselves run in the background.
        command = ["env", "--default-signal=INT", sys.executable, TOY_APP, *map(str, arguments),
                   "--store", store]
        process = subprocess.Popen(
            command, env=clean, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE
        )
        processes.append(process)
        return process

    yield start
    for process in processes:
        process.kill()
        process.communicate()


@pytest.fixture
def family():
    """All processes that a process has started, and their descendants."""

    def of(process):
        return psutil.Process(process.pid).children(recursive=True)

    return of
