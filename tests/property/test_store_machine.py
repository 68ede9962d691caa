"""Any order of publishing, naming, damaging, reading and collecting keeps the store's promises."""

import os
import shutil
import tempfile
import uuid
from pathlib import Path

import hypothesis.strategies as st
import pyarrow as pa
import pytest
from hypothesis import settings
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule
from upath import UPath

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
    used, and which artifact each number of the product `p` names; None once it is withdrawn. Of
    those that stand, which were appended as candidates and not promoted.
    """

    files_alone_are_damage = True

    def __init__(self):
        super().__init__()
        self.root = self.new_root()
        self.stores = [open_store(self.root), open_store(self.root)]
        self.refs, self.whole, self.damaged = {}, set(), set()
        self.used = [set(), set()]
        self.named, self.waiting = {}, set()

    def new_root(self):
        return Path(tempfile.mkdtemp(prefix="tsm-store-"))

    def teardown(self):
        shutil.rmtree(self.root)

    def folder(self, version):
        address = request(version).address
        return self.root / "objects" / "combine" / address[:2] / address

    def remove(self, version):
        shutil.rmtree(self.folder(version), ignore_errors=True)

    def file(self, version, name):
        return self.folder(version) / name

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
        path = self.file(version, file)
        content = bytearray(path.read_bytes())
        content[data.draw(st.integers(0, len(content) - 1))] ^= 1 << data.draw(st.integers(0, 7))
        self.rewrite(path, bytes(content))
        self.spoil(version)

    def rewrite(self, path, content):
        path.chmod(0o644)
        path.write_bytes(content)

    @rule(version=VERSIONS, file=FILES)
    def remove_a_file(self, version, file):
        if version in self.whole:
            self.file(version, file).unlink()
            if file == "manifest.json" and not self.files_alone_are_damage:
                self.whole.remove(version)
            else:
                self.spoil(version)

    def spoil(self, version):
        self.whole.remove(version)
        self.damaged.add(version)

    @rule(version=VERSIONS)
    def delete(self, version):
        self.remove(version)
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

    @property
    def latest(self):
        return max(self.standing.keys() - self.waiting, default=0)

    @property
    def candidates(self):
        return {number for number in self.standing if number > self.latest}

    @rule(version=VERSIONS, who=st.integers(0, 1), candidate=st.booleans())
    def name(self, version, who, candidate):
        if version not in self.whole:
            return
        added = self.stores[who].products.add(
            "p", "table", {"a": self.refs[version]}, "a", candidate=candidate)
        self.used[who].add(version)
        alike = {number for number in self.candidates if self.named[number] == version}
        if self.standing.get(self.latest) == version:
            assert added.version == self.latest
        elif candidate and alike:
            assert added.version == max(alike)
        else:
            assert added.version == max(self.named, default=0) + 1
            self.named[added.version] = version
            if candidate:
                self.waiting.add(added.version)

    @rule(number=st.integers(1, 4), who=st.integers(0, 1))
    def promote(self, number, who):
        codes = ()
        try:
            self.stores[who].products.promote(f"p@{number}")
        except TsmError as error:
            codes = error.codes
        if number in self.standing:
            self.used[who].add(self.standing[number])
        if number in self.standing and number >= self.latest:
            self.waiting.discard(number)
            assert codes == ()
        else:
            assert codes == (Code.PRODUCT_SUPERSEDED if number in self.standing
                             else Code.PRODUCT_UNKNOWN,)

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
            self.waiting.discard(number)
            assert codes == ()
        else:
            assert codes == (Code.PRODUCT_UNKNOWN,)

    @rule(who=st.integers(0, 1))
    def get(self, who):
        if not self.latest:
            return
        version = self.stores[who].products.get("p")
        assert version.ref == self.refs[self.standing[version.version]]
        assert version.version == self.latest
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
        assert [(each.version, each.ref, each.waits) for each in listed] == [
            (number, self.refs[version], number in self.waiting)
            for number, version in sorted(self.standing.items())[::-1]]
        if self.named:
            waiting = self.stores[0].products.candidates("p")
            assert [each.version for each in waiting] == sorted(self.candidates)[::-1]

    @invariant()
    def what_is_visible_is_what_the_model_says(self):
        files = "" if self.files_alone_are_damage else "/manifest.json"
        found = self.root.glob(f"objects/*/*/*{files}")
        visible = {str(path).removesuffix(files).rpartition("/")[2] for path in found}
        assert visible == {request(version).address for version in self.whole | self.damaged}

    @invariant()
    def nothing_is_left_in_staging(self):
        assert not list(self.root.glob(".staging/*"))


class S3StoreMachine(StoreMachine):
    """The same on S3, where without a manifest there is no artifact."""

    files_alone_are_damage = False

    def new_root(self):
        server = os.environ["AWS_ENDPOINT_URL"]
        return UPath(f"s3://pztsm/{uuid.uuid4()}", endpoint_url=server, use_listings_cache=False)

    def teardown(self):
        self.stores.clear()

    def file(self, version, name):
        if name == "manifest.json" or version not in self.whole:
            return super().file(version, name)
        return self.stores[0]._backend.locate(self.folder(version).path.split("/", 2)[2]) / name

    def rewrite(self, path, content):
        path.write_bytes(content)

    def remove(self, version):
        for path in self.folder(version).glob("**/*"):
            if path.is_file():
                path.unlink()


TestStoreMachine = StoreMachine.TestCase
TestStoreMachine.settings = settings(max_examples=40, stateful_step_count=30, deadline=None)

TestS3StoreMachine = pytest.mark.usefixtures("s3")(S3StoreMachine.TestCase)
TestS3StoreMachine.settings = settings(max_examples=4, stateful_step_count=25, deadline=None)


@pytest.mark.prove
@pytest.mark.timeout(1800)
@pytest.mark.usefixtures("s3")
class TestLongS3StoreMachine(S3StoreMachine.TestCase):
    settings = settings(max_examples=30, stateful_step_count=40, deadline=None)
