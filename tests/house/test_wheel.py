"""The wheel alone: the library without the application."""

from __future__ import annotations

import subprocess
import sys
import sysconfig
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory) -> Path:
    """The wheel, built and unpacked."""
    built, unpacked = (tmp_path_factory.mktemp(name) for name in ("built", "unpacked"))
    subprocess.run([sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(built)],
                   cwd=ROOT, check=True, capture_output=True)
    (file,) = built.glob("*.whl")
    with zipfile.ZipFile(file) as archive:
        archive.extractall(unpacked)
    return unpacked


def _tsm(wheel: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run `tsm` from the wheel; -S keeps the checkout, which is installed as editable, away."""
    code = (f"import sys; sys.path[:0] = [{str(wheel)!r}, {sysconfig.get_path('purelib')!r}]; "
            "sys.argv[0] = 'tsm'; from pz_tsm_core.cli import main; main()")
    return subprocess.run([sys.executable, "-S", "-c", code, *arguments], check=False,
                          capture_output=True, text=True, cwd=wheel)


def test_it_holds_the_library_and_its_data_alone(wheel) -> None:
    top = {path.name for path in wheel.iterdir() if not path.name.endswith(".dist-info")}
    assert top == {"pz_tsm_core"}
    for data in ("surveys/data/desi_dr1.yaml", "releases/data/dp1.yaml", "rules/grammar.lark",
                 "dust/coefficients.yaml", "dust/maps.yaml", "citations/references.bib",
                 "ops/lsst_border.csv", "mock/recipe.yaml", "quality/metrics.yaml",
                 "quality/templates/page.html", "quality/templates/page.css", "display/page.html",
                 "py.typed"):
        assert (wheel / "pz_tsm_core" / data).is_file()


@pytest.mark.parametrize("arguments", [
    ("run", "x.yaml", "--store", "y"), ("plan",), ("deploy", "site.yaml")])
def test_commands_of_the_application_say_what_is_missing(wheel, arguments) -> None:
    done = _tsm(wheel, *arguments)
    assert done.returncode == 1
    assert "[application.missing]" in done.stderr
    assert "checkout" in done.stderr
    assert "Traceback" not in done.stderr


def test_commands_of_the_library_work(wheel, tmp_path) -> None:
    assert "desi_dr1" in _tsm(wheel, "surveys").stdout
    done = _tsm(wheel, "mock", str(tmp_path / "sky"), "--objects", "1000", "--redshifts", "100")
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "sky" / "recipe.yaml").is_file()
