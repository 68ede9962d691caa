"""Any order of publishing, naming, damaging, reading and collecting keeps the store's promises."""

import shutil
import tempfile
from pathlib import Path

import hypothesis.strategies as st
import pyarrow as pa
from hypothesis import settings
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from pz_tsm_core.errors import Code, TsmError
from pz_tsm_core.model.artifact import StageRequest
from pz_tsm_core.store import open_store

VERSIONS = st.integers(1, 3)
FILES = st.sampled_from(["t.parquet", "manifest.json", "sub/note.txt"])


def request(version):
    return StageRequest(stage="combine", version=version)


def table(version):
    return pa.table({"x": range(version)})


class StoreMachine(RuleBasedStateMachine):
    """The model: which artifacts stand whole and which damaged, what each of two open stores has
    used, and which artifact each number of the product `p` names; None once it is withdrawn.
    """

    def __init__(self):
        super().__init__()
        self.root = Path(tempfile.mkdtemp(prefix="tsm-store-"))
        self.stores = [open_store(self.root), open_store(self.root)]
        self.refs, self.whole, self.damaged = {}, set(), set()
        self.used = [set(), set()]
        self.named = {}

    def teardown(self):
        shutil.rmtree(self.root)

    def folder(self, version):
        address = request(version).address
        return self.root / "objects" / "combine" / address[:2] / address

    @rule(version=VERSIONS, who=st.integers(0, 1))
    def publish(self, version, who):
        filled = []

        def fill(draft):
            filled.append(version)
            draft.write_table("t", table(version))
            (draft.directory / "sub").mkdir()
            (draft.directory / "sub" / "note.txt").write_text(str(version))

        manifest = self.stores[who].publish(request(version), fill)
        self.used[who].add(version)
        assert bool(filled) is (version not in self.whole)
        assert self.refs.setdefault(version, manifest.ref) == manifest.ref
        self.whole.add(version)
        self.damaged.discard(version)

    @rule(version=VERSIONS, who=st.integers(0, 1))
    def fail_to_publish(self, version, who):
        def fill(draft):
            draft.write_table("t", table(version))
            raise RuntimeError("the stage failed")

        self.used[who].add(version)
        try:
            self.stores[who].publish(request(version), fill)
        except RuntimeError:
            assert version not in self.whole
            self.damaged.discard(version)  # it was set aside before
        else:
            assert version in self.whole

    @rule(version=VERSIONS, file=FILES, data=st.data())
    def flip_a_bit(self, version, file, data):
        if version not in self.whole:
            return
        path = self.folder(version) / file
        content = bytearray(path.read_bytes())
        content[data.draw(st.integers(0, len(content) - 1))] ^= 1 << data.draw(st.integers(0, 7))
        path.chmod(0o644)
        path.write_bytes(content)
        self.spoil(version)

    @rule(version=VERSIONS, file=FILES)
    def remove_a_file(self, version, file):
        if version in self.whole:
            (self.folder(version) / file).unlink()
            self.spoil(version)

    def spoil(self, version):
        self.whole.remove(version)
        self.damaged.add(version)

    @rule(version=VERSIONS)
    def delete(self, version):
        shutil.rmtree(self.folder(version), ignore_errors=True)
        self.whole.discard(version)
        self.damaged.discard(version)

    @rule(version=VERSIONS, who=st.integers(0, 1))
    def find(self, version, who):
        found = self.stores[who].find(request(version).address)
        self.used[who].add(version)
        assert (found is not None) is (version in self.whole)
        self.damaged.discard(version)

    @rule(version=VERSIONS, who=st.integers(0, 1))
    def read(self, version, who):
        if version not in self.refs:
            return
        self.used[who].add(version)
        try:
            outcome = self.stores[who].read_table(self.refs[version], "t")
        except TsmError as error:
            outcome = error.codes
        if version in self.whole:
            assert outcome.equals(table(version))
        elif version in self.damaged:  # its table may be sound all the same
            assert outcome in ((Code.STORE_CORRUPT,), table(version))
        else:
            assert outcome == (Code.STORE_MISSING,)

    @property
    def standing(self):
        return {number: version for number, version in self.named.items() if version}

    @rule(version=VERSIONS, who=st.integers(0, 1))
    def name(self, version, who):
        if version not in self.whole:
            return
        added = self.stores[who].products.add("p", "table", {"a": self.refs[version]}, "a")
        self.used[who].add(version)
        latest = max(self.standing, default=None)
        if self.standing.get(latest) == version:
            assert added.version == latest
        else:
            assert added.version == max(self.named, default=0) + 1
            self.named[added.version] = version

    @rule(number=st.integers(1, 4), who=st.integers(0, 1))
    def withdraw(self, number, who):
        codes = ()
        try:
            self.stores[who].products.withdraw(f"p@{number}")
        except TsmError as error:
            codes = error.codes
        if number in self.standing:
            self.used[who].add(self.standing[number])
            self.named[number] = None
            assert codes == ()
        else:
            assert codes == (Code.PRODUCT_UNKNOWN,)

    @rule(who=st.integers(0, 1))
    def get(self, who):
        if not self.standing:
            return
        version = self.stores[who].products.get("p")
        assert version.ref == self.refs[self.standing[version.version]]
        assert version.version == max(self.standing)
        self.used[who].add(self.standing[version.version])

    @rule(who=st.integers(0, 1))
    def reopen(self, who):
        self.stores[who], self.used[who] = open_store(self.root), set()

    @rule(dry_run=st.booleans())
    def collect(self, dry_run):
        collected = open_store(self.root).collect(dry_run=dry_run)
        needed = self.used[0] | self.used[1] | set(self.standing.values())
        removed = {each.address for each in collected.removed}
        assert removed >= {request(version).address for version in self.whole - needed}
        gone = (self.whole | self.damaged) - needed
        assert len(removed) + collected.others.artifacts == len(gone)
        if not dry_run:
            self.whole -= gone
            self.damaged -= gone

    @invariant()
    def versions_are_what_the_model_says(self):
        listed = self.stores[0].products.list()
        assert [(each.version, each.ref) for each in listed] == [
            (number, self.refs[version]) for number, version in sorted(self.standing.items())[::-1]]

    @invariant()
    def what_is_visible_is_what_the_model_says(self):
        visible = {path.name for path in self.root.glob("objects/*/*/*")}
        assert visible == {request(version).address for version in self.whole | self.damaged}

    @invariant()
    def nothing_is_left_in_staging(self):
        assert not list(self.root.glob(".staging/*"))


TestStoreMachine = StoreMachine.TestCase
TestStoreMachine.settings = settings(max_examples=40, stateful_step_count=30, deadline=None)
