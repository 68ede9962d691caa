"""What is published is found again by those who may see it, and nothing else ever is."""

import errno
import hashlib

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pz_tsm_core.errors import Code, TsmError
from pz_tsm_core.model.artifact import Access, ArtifactRef, Principal, StageRequest
from pz_tsm_core.store import Store, open_store, table_digest

GALAXIES = pa.table({
    "galaxy_id": pa.array([2**62, 7, None], pa.int64()),
    "survey": pa.array(["VVDS", None, "VVDS"]).dictionary_encode(),
    "z": [0.5, None, 1.25],
})
REQUEST = StageRequest(stage="combine", version=1, policy={"radius_arcsec": 1.0})
ANA = Principal(name="ana")
BEN = Principal(name="ben", rights=frozenset({"lsst-dp1"}))


def fill(draft):
    draft.write_table("galaxies", GALAXIES)


def nothing_visible(root):
    return not list(root.glob("objects/*/*/*/manifest.json"))


def code_of(call):
    with pytest.raises(TsmError) as caught:
        call()
    return caught.value.codes[0]


@pytest.fixture
def store(root) -> Store:
    return open_store(root)


def test_a_published_table_reads_back_with_its_types(store):
    manifest = store.publish(REQUEST, fill)
    back = store.read_table(manifest.ref, "galaxies")
    assert back.equals(GALAXIES)
    assert back.schema.equals(GALAXIES.schema)
    assert manifest.tables == {"galaxies": table_digest(back)}
    assert manifest.table_rows == {"galaxies": 3}


def test_columns_come_in_the_order_asked_for(store):
    ref = store.publish(REQUEST, fill).ref
    assert store.read_table(ref, "galaxies", ["z", "galaxy_id"]).column_names == ["z", "galaxy_id"]
    assert code_of(lambda: store.read_table(ref, "galaxies", ["redshift"])) == (
        Code.TABLE_MISSING_COLUMN)


def test_batches_are_the_table_in_pieces(store):
    ref = store.publish(REQUEST, fill).ref
    pieces = list(store.batches(ref, "galaxies", ["z"], rows=2))
    assert [piece.num_rows for piece in pieces] == [2, 1]
    assert pa.Table.from_batches(pieces).equals(GALAXIES.select(["z"]))


def test_the_manifest_names_every_file_by_its_sha256(store, root):
    manifest = store.publish(REQUEST, fill)
    for file in manifest.files:
        content = (store.directory(manifest.ref) / file.path).read_bytes()
        assert (len(content), hashlib.sha256(content).hexdigest()) == (file.size, file.sha256)
    assert open_store(root).find(REQUEST.address) == manifest


def test_files_carry_page_checksums_zstd_and_even_row_groups(store):
    rows = 300_000
    batches = (pa.record_batch({"x": pa.array(range(i, i + 1000))}) for i in range(0, rows, 1000))
    ref = store.publish(REQUEST, lambda draft: draft.write_table("t", batches)).ref
    with (store.directory(ref) / "t.parquet").open("rb") as file:
        meta = pq.read_metadata(file)
    groups = [meta.row_group(i) for i in range(meta.num_row_groups)]
    assert [group.num_rows for group in groups] == [131_072, 131_072, 37_856]
    assert groups[0].column(0).compression == "ZSTD"


def test_a_standing_artifact_is_not_made_again(store):
    first = store.publish(REQUEST, fill)

    def refill(draft):
        raise AssertionError("made again")

    assert store.publish(REQUEST, refill) == first


def test_an_address_without_artifact_is_none_to_find_and_an_error_to_read(store, root):
    ref = ArtifactRef(stage="combine", address="0" * 64, content="1" * 64)
    assert store.find(ref.address) is None
    assert code_of(lambda: store.manifest(ref)) == Code.STORE_MISSING
    assert code_of(lambda: store.read_table(ref, "galaxies")) == Code.STORE_MISSING
    assert not root.exists(), "looking made a store"


def test_a_table_that_is_not_there_is_named(store):
    ref = store.publish(REQUEST, fill).ref
    assert code_of(lambda: store.read_table(ref, "pairs")) == Code.STORE_MISSING


def test_a_reference_to_other_content_is_not_served(store):
    ref = store.publish(REQUEST, fill).ref
    other = ref.model_copy(update={"content": "f" * 64})
    assert code_of(lambda: store.read_table(other, "galaxies")) == Code.STORE_CORRUPT


def test_a_stage_that_fails_leaves_nothing(store, root, tmp_path):
    def fails(draft):
        draft.write_table("galaxies", GALAXIES)
        raise KeyError("no such band")

    with pytest.raises(KeyError):
        store.publish(REQUEST, fails)
    assert nothing_visible(root)
    assert not list(root.glob("objects/**/*"))
    assert not list(tmp_path.glob("**/.staging/*"))


def test_an_error_of_the_stages_own_input_is_not_called_the_stores(store):
    def stream():
        raise FileNotFoundError(errno.ENOENT, "no such catalogue")
        yield

    with pytest.raises(FileNotFoundError):
        store.publish(REQUEST, lambda d: d.write_table("t", stream(), GALAXIES.schema))


@pytest.mark.parametrize("account", [(5, 3, {"star": 1}), (3, 4, {})])
def test_an_account_that_does_not_balance_is_refused(store, root, account):
    with pytest.raises(ValueError, match="rows in"):
        store.publish(REQUEST, lambda draft: draft.rows(*account))
    assert nothing_visible(root)


def test_counts_add_up_and_notes_stay_outside_the_content(store):
    def told(draft):
        fill(draft)
        draft.rows(5, 3, {"star": 2})
        draft.count("rules", {"secure": 2})
        draft.count("rules", {"secure": 1, "none": 4})
        draft.note("bands", ("u", "g"))

    plain = store.publish(REQUEST, fill)
    other = store.publish(REQUEST.model_copy(update={"version": 2}), told)
    assert other.counts == {"rules": {"secure": 3, "none": 4}}
    assert other.notes == {"bands": ["u", "g"]}
    assert (other.content, other.address == plain.address) == (plain.content, False)


def test_files_of_another_library_count_by_their_rows(store):
    def folder(date):
        def write(draft):
            (draft.directory / "hats" / "Norder=0").mkdir(parents=True)
            pq.write_table(GALAXIES, draft.directory / "hats/Norder=0/Npix=4.parquet")
            (draft.directory / "hats/properties").write_text(f"hats_creation_date={date}")
            draft.register_table("galaxies", GALAXIES.to_batches(), GALAXIES.schema)
        return write

    one = store.publish(REQUEST, folder("2026-11-20"))
    two = store.publish(REQUEST.model_copy(update={"version": 2}), folder("2026-11-21"))
    assert one.content == two.content
    assert [f.path for f in one.files] == ["hats/Norder=0/Npix=4.parquet", "hats/properties"]
    assert one.files[1].sha256 != two.files[1].sha256


def test_without_tables_the_files_are_the_content(store):
    def write(text):
        return lambda draft: (draft.directory / "train.hdf5").write_text(text) and None

    one = store.publish(REQUEST, write("a"))
    two = store.publish(REQUEST.model_copy(update={"version": 2}), write("b"))
    assert one.content != two.content


@pytest.mark.parametrize("name", ["Galaxies", "../galaxies", "a/b", ""])
def test_a_table_name_is_a_plain_word(store, name):
    with pytest.raises(ValueError, match="table name"):
        store.publish(REQUEST, lambda draft: draft.write_table(name, GALAXIES))


def test_a_symlink_is_not_published(store, root):
    def link(draft):
        (draft.directory / "passwd").symlink_to("/etc/passwd")

    with pytest.raises(ValueError, match="no regular file"):
        store.publish(REQUEST, link)
    assert nothing_visible(root)


def test_a_stage_cannot_write_the_manifest(store):
    with pytest.raises(ValueError, match=r"manifest\.json"):
        store.publish(REQUEST, lambda d: (d.directory / "manifest.json").write_text("{}") and None)


def test_published_files_are_read_only(tmp_path):
    store = open_store(tmp_path)
    directory = store.directory(store.publish(REQUEST, fill).ref)
    modes = [path.stat().st_mode & 0o222 for path in directory.rglob("*") if path.is_file()]
    assert modes == [0, 0]


@pytest.mark.parametrize("access", ["private:ana", "rights:lsst-dp1"])
def test_only_who_may_see_an_artifact_finds_and_reads_it(root, access):
    kind, name = access.split(":")
    request = REQUEST.model_copy(update={"access": Access(kind=kind, name=name)})
    allowed, barred = (ANA, BEN) if kind == "private" else (BEN, ANA)
    ref = open_store(root, allowed).publish(request, fill).ref
    assert open_store(root, allowed).read_table(ref, "galaxies").equals(GALAXIES)
    other = open_store(root, barred)
    for call in (
        lambda: other.find(request.address),
        lambda: other.manifest(ref),
        lambda: other.directory(ref),
        lambda: other.read_table(ref, "galaxies"),
        lambda: list(other.batches(ref, "galaxies")),
        lambda: other.publish(request, fill),
    ):
        assert code_of(call) == Code.STORE_ACCESS


def test_two_owners_of_equal_requests_do_not_share_an_artifact(root):
    refs = [open_store(root, who).publish(
        REQUEST.model_copy(update={"access": Access(kind="private", name=who.name)}), fill).ref
        for who in (ANA, BEN)]
    assert refs[0].address != refs[1].address
    assert refs[0].content == refs[1].content


@pytest.mark.parametrize("location", ["https://example.org/store", "s3://", "s3://A", "s3://bucket/a/../b"])
def test_a_location_of_another_kind_is_refused(location):
    assert code_of(lambda: open_store(location)) == Code.STORE_UNSUPPORTED


def test_a_file_is_no_store(tmp_path):
    (tmp_path / "file").write_text("")
    assert code_of(lambda: open_store(tmp_path / "file")) == Code.STORE_UNSUPPORTED


def test_a_file_url_is_a_path(tmp_path):
    assert open_store(f"file://{tmp_path}/a").location == str(tmp_path / "a")


def test_prefect_keeps_its_results_below_the_store(tmp_path):
    assert open_store(tmp_path).beside("prefect/results") == tmp_path / "prefect" / "results"
