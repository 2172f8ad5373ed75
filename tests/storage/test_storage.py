"""Every kind of storage keeps what its protocol promises."""

from __future__ import annotations

import io
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.fake_gcs import FakeGcs, Fault, cloud
from transforms import storage
from transforms.storage import gcs_requests
from transforms.storage.beam_files import BeamFiles
from transforms.storage.file_system import FileSystem

LARGE = os.urandom(1 << 20) * 9 + b"end"
NAMES = ["a.txt", "x/y z.bin", "x/한글/%41#&+.bin"]


@pytest.fixture
def gcs(monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeGcs]:
    yield from cloud("bucket", monkeypatch=monkeypatch)


@pytest.fixture(params=["local", "gs", "beam"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> tuple[FileSystem, str]:
    if request.param == "gs":
        request.getfixturevalue("gcs")
        return storage.file_system("gs://bucket"), "gs://bucket/root"
    return BeamFiles() if request.param == "beam" else storage.file_system(str(tmp_path)), str(tmp_path / "root")


@pytest.mark.parametrize("data", [b"", b"\r\n--", LARGE], ids=["empty", "line ends", "large"])
def test_what_is_written_is_read(place: tuple[FileSystem, str], data: bytes) -> None:
    files, root = place
    for name in NAMES:
        path = f"{root}/{name}"
        assert files.status(path) is None
        files.write(path, b"old")
        files.write(path, io.BytesIO(data))
        assert files.read(path) == data
        assert files.read_range(path, 2, 3) == data[2:5]
        with files.open(path) as stream:
            assert stream.read(3) == data[:3]
            assert stream.seek(-min(2, len(data)), os.SEEK_END) == max(0, len(data) - 2)
            assert stream.read() == data[-2:]
            stream.seek(1)
            assert stream.read() == data[1:]
        status = files.status(path)
        assert status is not None
        assert (status.path, status.bytes) == (path, len(data))
        if data:
            with pytest.raises(storage.FileTooLarge):
                files.read(path, max_bytes=len(data) - 1)


def test_folders(place: tuple[FileSystem, str]) -> None:
    files, root = place
    for name in NAMES:
        files.write(f"{root}/{name}", name.encode())
    assert [file.path for file in files.walk(root)] == [f"{root}/{name}" for name in NAMES]
    found, folders = files.list_folder(f"{root}/x/")
    assert ([file.path for file in found], folders) == ([f"{root}/x/y z.bin"], [f"{root}/x/한글"])
    assert files.is_folder(f"{root}/x")
    assert not files.is_folder(f"{root}/a.t")
    assert files.list_folder(f"{root}/none") == ([], [])
    files.copy(f"{root}/a.txt", f"{root}/new/b.txt")
    assert files.read(f"{root}/new/b.txt") == b"a.txt"
    files.delete(f"{root}/a.txt")
    files.delete(f"{root}/a.txt")
    files.delete_folder(f"{root}/x")
    assert [file.path for file in files.walk(root)] == [f"{root}/new/b.txt"]
    with pytest.raises(FileNotFoundError):
        files.read(f"{root}/a.txt")
    with pytest.raises(FileNotFoundError):
        files.open(f"{root}/a.txt").read()


@pytest.mark.parametrize("place", ["local", "gs"], indirect=True)
def test_only_what_is_expected_is_replaced(place: tuple[FileSystem, str]) -> None:
    files, root = place
    path = f"{root}/a"
    first = files.write(path, b"1", expected_tag="")
    with pytest.raises(FileExistsError):
        files.write(path, b"22", expected_tag="")
    second = files.write(path, b"333", expected_tag=first)
    with pytest.raises(FileExistsError):
        files.write(path, b"4444", expected_tag=first)
    status = files.status(path)
    assert status is not None
    assert (files.read(path), status.tag) == (b"333", second)


@pytest.mark.parametrize("kind", [503, "reset", "lost", "cut"])
@pytest.mark.parametrize("data", [b"small", LARGE], ids=["small", "large"])
def test_faults_of_a_moment_are_survived(gcs: FakeGcs, kind: int | str, data: bytes) -> None:
    path = "gs://bucket/a"
    for operation in (
        lambda: storage.write_exclusively(path, data),
        lambda: storage.status(path),
        lambda: storage.read_bytes(path),
        lambda: list(storage.walk("gs://bucket")),
        lambda: storage.copy(path, path + "2"),
        lambda: storage.delete(path),
    ):
        gcs.faults.append(Fault(kind))
        operation()
    assert storage.read_bytes(path + "2") == data
    assert not storage.exists(path)
    assert all(fault.times == 0 for fault in gcs.faults)


def test_damaged_bytes_are_asked_for_again(gcs: FakeGcs, monkeypatch: pytest.MonkeyPatch) -> None:
    gcs.put("bucket", "a", b"content")
    real, calls = gcs_requests.google_crc32c.value, []
    monkeypatch.setattr(
        gcs_requests.google_crc32c, "value", lambda data: calls.append(data) or real(data) ^ (len(calls) == 1)
    )
    assert storage.read_bytes("gs://bucket/a") == b"content"
    assert len(calls) == 2


def test_a_stream_is_of_one_generation(gcs: FakeGcs) -> None:
    gcs.put("bucket", "a", LARGE)
    with storage.open_file("gs://bucket/a") as stream:
        assert stream.read(10) == LARGE[:10]
        gcs.put("bucket", "a", LARGE[::-1])
        with pytest.raises(FileNotFoundError):
            stream.read()


@pytest.mark.parametrize(
    ("status", "kind", "remedy"),
    [(403, PermissionError, "role"), (401, PermissionError, "gcloud auth"), (404, FileNotFoundError, "buckets create")],
)
def test_refusals_say_what_to_do(gcs: FakeGcs, status: int, kind: type[OSError], remedy: str) -> None:
    if status != 404:
        gcs.denied["bucket", "*"] = status
    bucket = "gs://none" if status == 404 else "gs://bucket"
    for operation in (
        lambda: storage.read_bytes(f"{bucket}/a"),
        lambda: storage.open_file(f"{bucket}/a"),
        lambda: storage.status(f"{bucket}/a"),
        lambda: list(storage.walk(bucket)),
        lambda: storage.is_folder(f"{bucket}/a"),
        lambda: storage.write_whole(f"{bucket}/a", b""),
        lambda: storage.write_whole(f"{bucket}/a", LARGE),
    ):
        with pytest.raises(kind, match=remedy):
            operation()


def test_without_credentials(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in ("STORAGE_EMULATOR_HOST", "GOOGLE_APPLICATION_CREDENTIALS", "GOOGLE_CLOUD_PROJECT"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("NO_GCE_CHECK", "true")
    monkeypatch.setenv("CLOUDSDK_CONFIG", str(tmp_path))
    with pytest.raises(PermissionError, match="gcloud auth application-default login"):
        storage.read_bytes("gs://bucket/a")


def test_local_files_bring_in_nothing_of_the_cloud(tmp_path: Path) -> None:
    code = (
        "import sys; from transforms import storage; storage.write_whole(sys.argv[1], b'1'); "
        "storage.read_bytes(sys.argv[1]); print([name for name in sys.modules if 'google' in name or 'beam' in name])"
    )
    done = subprocess.run([sys.executable, "-c", code, str(tmp_path / "a")], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
