"""The storage of the tests behaves as the clients of the real one expect."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Iterator

import pytest
from apache_beam.io.gcp.gcsio import GcsIO
from google.api_core import exceptions
from google.cloud import storage
from google.cloud.storage.retry import DEFAULT_RETRY

from tests.fake_gcs import FakeGcs, Fault, cloud

MANY = bytes(range(256)) * 4096 * 3 + b"end"
KINDS: list[int | str] = [503, 429, 500, "reset", "lost", "cut"]


@pytest.fixture
def gcs(monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeGcs]:
    yield from cloud("bucket", monkeypatch=monkeypatch)


@pytest.fixture
def bucket(gcs: FakeGcs) -> storage.Bucket:
    return storage.Client().bucket("bucket")


@pytest.mark.parametrize("name", ["a", "x/y z.bin", "한글/%41?#&+.bin", "[a]*?"])
@pytest.mark.parametrize("chunk", [None, 256 * 1024], ids=["multipart", "resumable"])
@pytest.mark.parametrize("data", [b"", b"\r\n--", MANY], ids=["empty", "line ends", "large"])
def test_upload_and_download(gcs: FakeGcs, bucket: storage.Bucket, name: str, chunk: int | None, data: bytes) -> None:
    blob = bucket.blob(name, chunk_size=chunk)
    blob.upload_from_file(io.BytesIO(data), size=None if chunk else len(data), checksum="crc32c")
    assert gcs.get("bucket", name) == data
    found = bucket.get_blob(name)
    assert (found.size, found.generation) == (len(data), blob.generation)
    assert found.download_as_bytes(checksum="md5") == data
    if data:
        assert found.download_as_bytes(start=1, end=3) == data[1:4]
        with pytest.raises(exceptions.RequestRangeNotSatisfiable):
            found.download_as_bytes(start=len(data))


def test_preconditions(bucket: storage.Bucket) -> None:
    blob = bucket.blob("a")
    blob.upload_from_string(b"1", if_generation_match=0)
    first = blob.generation
    for condition in (
        {"if_generation_match": 0},
        {"if_generation_match": first + 1},
        {"if_generation_not_match": first},
    ):
        with pytest.raises(exceptions.PreconditionFailed):
            bucket.blob("a").upload_from_string(b"2", **condition)
        with pytest.raises(exceptions.PreconditionFailed):
            bucket.blob("a", chunk_size=256 * 1024).upload_from_file(io.BytesIO(b"2"), **condition)
    with pytest.raises(exceptions.PreconditionFailed):
        bucket.blob("a").delete(if_generation_match=first + 1)
    with pytest.raises(exceptions.PreconditionFailed):
        bucket.copy_blob(blob, bucket, "a", if_generation_match=0)
    assert bucket.copy_blob(blob, bucket, "b", if_generation_match=0).download_as_bytes() == b"1"
    bucket.blob("a").upload_from_string(b"3", if_generation_match=first)
    with pytest.raises(exceptions.NotFound):
        bucket.blob("a", generation=first).download_as_bytes()
    assert bucket.blob("a").download_as_bytes() == b"3"


def test_listing(bucket: storage.Bucket) -> None:
    names = ["a", "b/1", "b/2", "b/c/3", "d"]
    for name in names:
        bucket.blob(name).upload_from_string(b"")
    assert [blob.name for blob in bucket.list_blobs(page_size=2)] == names
    assert [blob.name for blob in bucket.list_blobs(prefix="b/", max_results=2)] == ["b/1", "b/2"]
    listed = bucket.list_blobs(prefix="b/", delimiter="/", page_size=1)
    assert ([blob.name for blob in listed], listed.prefixes) == (["b/1", "b/2"], {"b/c/"})


def test_beams_client(gcs: FakeGcs) -> None:
    io_ = GcsIO()
    paths = [f"gs://bucket/{i}" for i in range(3)]
    for path in paths:
        with io_.open(path, "wb") as file:
            file.write(MANY)
    with io_.open(paths[0]) as file:
        file.seek(-3, io.SEEK_END)
        assert file.read() == b"end"
    io_.rename(paths[0], "gs://bucket/x/0")
    io_.copy_batch([(paths[1], "gs://bucket/x/1"), ("gs://bucket/none", "gs://bucket/x/2")])
    assert dict(io_.list_files("gs://bucket/x")) == {"gs://bucket/x/0": len(MANY), "gs://bucket/x/1": len(MANY)}
    assert [code for _, code in io_.delete_batch([paths[1], paths[2]])] == [None, None]
    assert gcs.names("bucket") == ["x/0", "x/1"]
    assert io_.get_bucket("none") is None


@pytest.mark.parametrize("kind", KINDS)
def test_clients_survive_faults(gcs: FakeGcs, bucket: storage.Bucket, kind: int | str) -> None:
    gcs.faults += [Fault(kind, path="/upload/", after=1), Fault(kind, path="alt=media"), Fault(kind, path="prefix=")]
    retry = DEFAULT_RETRY.with_delay(initial=0.01)
    bucket.blob("a", chunk_size=1 << 20).upload_from_file(io.BytesIO(MANY), retry=retry)
    assert hashlib.sha256(gcs.get("bucket", "a")).digest() == hashlib.sha256(MANY).digest()
    assert bucket.blob("a").download_as_bytes(retry=retry) == MANY
    assert [blob.name for blob in bucket.list_blobs(prefix="a", retry=retry)] == ["a"]
    assert [fault.times for fault in gcs.faults] == [0, 0, 0]


def test_refusals(gcs: FakeGcs) -> None:
    client = storage.Client()
    gcs.put("closed", "a", b"1")
    gcs.put("read only", "a", b"1")
    gcs.denied = {("closed", "*"): 403, ("read only", "POST"): 403}
    with pytest.raises(exceptions.Forbidden):
        client.bucket("closed").blob("a").download_as_bytes()
    assert client.bucket("read only").blob("a").download_as_bytes() == b"1"
    with pytest.raises(exceptions.Forbidden):
        client.bucket("read only").blob("b").upload_from_string(b"1")
    with pytest.raises(exceptions.NotFound):
        client.get_bucket("none")
    blob = client.bucket("bucket").blob("a")
    blob.md5_hash = "bm9uc2Vuc2Utbm9uc2Vuc2U="
    with pytest.raises(exceptions.BadRequest):
        blob.upload_from_string(b"1", checksum=None)
    assert gcs.names("bucket") == []
    assert gcs.count("GET", "closed/o/a") == 1
