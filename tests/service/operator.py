"""Somebody who follows docs/how-to/operate.md on this machine, and leaves nothing behind."""

from __future__ import annotations

import fcntl
import os
import re
import shutil
import subprocess
import sys
import tempfile
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import psutil

from tests.waiting import answers, free_port

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "how-to" / "operate.md").read_text("utf-8")
BLOCKS = re.findall(r"^```sh\n(.*?)^```", PAGE, re.DOTALL | re.MULTILINE)
#: What is told besides, each command behind a `$`.
MORE = re.findall(r"^```console\n(.*?)^```", PAGE, re.DOTALL | re.MULTILINE)
#: Begins the name of whatever the test makes on the machine.
OURS = "pz-tsm-test-"
#: Until then the page is done, on a busy machine too; else it is shown how far it came.
SECONDS = 420
LOCK = Path("/var/lock/pz-tsm-operate.lock")
SUPERVISOR, NGINX = Path("/etc/supervisor/conf.d"), Path("/etc/nginx/conf.d")

#: What installs is not done again where it is done: the packages are there, and the environment.
PROLOGUE = """\
set -euo pipefail
apt-get() {
    [ "$1" = install ] || return 0
    for word in "${@:2}"; do
        [[ "$word" = -* ]] || dpkg-query -W -f '${Status}' "$word" | grep -q 'ok installed'
    done
}
make() {
    local steps
    steps=$(command make --dry-run "$@")
    # An environment made in another way, as by a developer, is never touched.
    case "$steps" in
        *"venv --clear"*) [ -x "$checkout/.venv/bin/tsm" ] ;;
        *) command make "$@" ;;
    esac
}
"""


def packages() -> list[str]:
    """What the page has apt-get install."""
    line, = re.findall(r"^apt-get install (.*)$", PAGE, re.MULTILINE)
    return [word for word in line.split() if not word.startswith("-")]


def missing() -> list[str]:
    """Packages of the page that this machine has not."""
    def there(package: str) -> bool:
        said = _run("dpkg-query", "-W", "-f", "${Status}", package, check=False)
        return said.stdout.endswith("ok installed")

    return [package for package in packages() if not there(package)]


@dataclass(frozen=True)
class Place:
    """Names and places in the first line of the page, as the test has them.

    Parameters
    ----------
    is_known : whether the database knew the user before
    """

    name: str
    user: str
    folder: Path
    web: int
    port: int
    is_known: bool
    scheme: str = "http"

    @cached_property
    def home(self) -> Path:
        return self.folder / "home"

    @property
    def url(self) -> str:
        return f"{self.scheme}://127.0.0.1:{self.web}"

    @property
    def first_line(self) -> str:
        return (f"repository={ROOT} name={self.name} user={self.user} checkout={ROOT} "
                f"home={self.home} settings={self.folder}/settings host=127.0.0.1 "
                f"scheme={self.scheme} web={self.web} port={self.port}\n")

    def service(self, *words: str) -> str:
        """What a command of the service says."""
        return _run("runuser", "-u", self.user, "--", "env",
                    f"PZ_TSM_ENVIRONMENT={self.folder}/settings/environment",
                    str(ROOT / "infra" / "service"), *words, cwd=self.home).stdout

    @property
    def processes(self) -> list[psutil.Process]:
        """What lives and has its settings from here, whoever started it."""
        def is_ours(each: psutil.Process) -> bool:
            with suppress(psutil.Error):
                return (each.status() != psutil.STATUS_ZOMBIE
                        and each.environ().get("PZ_TSM_HOME") == str(self.home))
            return False

        return list(filter(is_ours, psutil.process_iter()))

    def log(self) -> str:
        """The last words of server and worker."""
        return "\n".join(f"--- {file.name}\n{file.read_text('utf-8', 'replace')[-4000:]}"
                         for file in sorted((self.home / "log").glob("*.log")))


@dataclass(frozen=True)
class Followed:
    """The page carried out: what each of its blocks said, by a word that stands in it."""

    place: Place
    output: dict[str, str]

    def said(self, word: str) -> str:
        """What the one block with this word said."""
        output, = (said for block, said in self.output.items() if word in block)
        return output

    def type(self, word: str, place: Place, **instead: str) -> str:
        """Carry out the block with a `$` before its commands, and this word; give what it says.

        Parameters
        ----------
        place : what stands in the first line of the page by now
        instead : by a word in capitals that stands for something, what it is
        """
        block, = (block for block in MORE if word in block)
        for name, value in instead.items():
            block = block.replace(name, value)
        commands = re.sub(r"^\$ ", "", block, flags=re.MULTILINE)
        names = f"{place.first_line}{BLOCKS[1]}"
        done = _run("bash", "-euo", "pipefail", "-c", f"{names}{commands}", check=False)
        assert done.returncode == 0, done.stdout
        return done.stdout


@contextmanager
def followed() -> Iterator[Followed]:
    """All commands of the page carried out in their order; undone at the end."""
    with LOCK.open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # one supervisor, one nginx for all on this machine
        for left in SUPERVISOR.glob(f"{OURS}*.conf"):
            _leave(_place_of(left))  # of a test that was killed
        with _machine_as_it_was():
            place = _place()
            try:
                yield Followed(place, _follow(place))
            finally:
                _leave(place)


@contextmanager
def _machine_as_it_was() -> Iterator[None]:
    """Stop afterwards what was not running; but the database, which other tests may use by now."""
    subprocess.run([ROOT / "infra/testing/dachs/serve", "database"], check=True, timeout=120)
    resting = [name for name in ("supervisor", "nginx") if not _is_running(name)]
    try:
        yield
    finally:
        for name in resting:
            _run("service", name, "stop")


def _place() -> Place:
    folder = Path(tempfile.mkdtemp(prefix=OURS))
    folder.chmod(0o755)  # for the user of the service, the database's and nginx's
    name = OURS + uuid.uuid4().hex[:8]
    for_all = _run("runuser", "-u", "nobody", "--", sys.executable, "-c", "", check=False)
    user = name if for_all.returncode == 0 else "root"  # who can reach this Python
    return Place(name, user, folder, free_port(), free_port(), is_known=_is_role(user))


def _place_of(configuration: Path) -> Place:
    """Where the programs of a file of supervisor's belong to."""
    text = configuration.read_text("utf-8")
    user, log = (re.search(rf"^{key}=(.*)$", text, re.MULTILINE)[1]  # type: ignore[index]
                 for key in ("user", "stdout_logfile"))
    return Place(configuration.stem, user, Path(log).parents[2], web=0, port=0, is_known=False)


def _follow(place: Place) -> dict[str, str]:
    """Carry out the blocks in one shell; give what each said."""
    mark = f"@@{uuid.uuid4().hex}@@"
    blocks = [place.first_line, *BLOCKS[1:]]
    blocks = [block.replace('"0 3 * * 1"', '"* * * * *"') for block in blocks]
    for file, content in re.findall(
            r"[Ss]ave this as `(.+?)`:\n\n```python\n(.*?)```", PAGE, re.DOTALL):
        place.home.mkdir(exist_ok=True)
        (place.home / file).write_text(content, "utf-8")
    script = place.folder / "page.sh"
    script.write_text(PROLOGUE + "".join(f"{block}echo {mark}\n" for block in blocks), "utf-8")
    done = subprocess.run(
        ["timeout", "--kill-after=5", str(SECONDS), "bash", script], cwd=place.folder, text=True,
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False,
        env=_environment())
    said = done.stdout.split(f"{mark}\n")
    assert done.returncode == 0, f"{blocks[len(said) - 1]}\n{said[-1]}\n{place.log()}"
    return dict(zip(BLOCKS, said, strict=False))


def _environment() -> dict[str, str]:
    """That of a person who has just come in."""
    return {"PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
            "LANG": "C.UTF-8", "HOME": os.environ.get("HOME", "/root"), "no_proxy": "127.0.0.1"}


def _leave(place: Place) -> None:
    """Undo all of it, and find nothing left."""
    _run("supervisorctl", "stop", f"{place.name}:*", check=False)
    left = place.processes  # runs that had begun, and outlive their worker
    for each in left:
        with suppress(psutil.Error):
            each.kill()
    psutil.wait_procs(left, timeout=30)
    _run("runuser", "-u", "postgres", "--", "dropdb", "--if-exists", "--force", place.name)
    if not place.is_known:
        _run("runuser", "-u", "postgres", "--", "dropuser", "--if-exists", place.user)
    if place.user == place.name:
        _run("userdel", place.user, check=False)
    shutil.rmtree(place.folder, ignore_errors=True)
    (NGINX / f"{place.name}.conf").unlink(missing_ok=True)
    _run("nginx", "-s", "reload", check=False)
    (SUPERVISOR / f"{place.name}.conf").unlink(missing_ok=True)  # by which it is found: the last
    _run("supervisorctl", "update", check=False)
    assert place.processes == []
    assert [port for port in (place.web, place.port) if answers(port)] == []
    assert place.name not in _run("supervisorctl", "avail", check=False).stdout
    assert place.name not in _psql("SELECT datname FROM pg_database")
    assert _is_role(place.user) == place.is_known
    assert place.name not in Path("/etc/passwd").read_text("utf-8")
    assert not place.folder.exists()


def _is_role(user: str) -> bool:
    """Whether the database knows somebody of this name."""
    return user in _psql("SELECT rolname FROM pg_roles").split()


def _psql(query: str) -> str:
    return _run("runuser", "-u", "postgres", "--", "psql", "-At", "-c", query).stdout


def _is_running(name: str) -> bool:
    return _run("service", name, "status", check=False).returncode == 0


def _run(
    *words: str, check: bool = True, cwd: Path = Path("/")
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(words, check=check, cwd=cwd, stdin=subprocess.DEVNULL, text=True,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=120,
                          env=_environment())
