from __future__ import annotations

import contextlib
import errno
import hashlib
import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from transforms.storage.atomic_file import AtomicFile, write_atomically


def test_file_appears_whole(tmp_path: Path) -> None:
    path = tmp_path / "a"
    with AtomicFile(str(path)) as file:
        file.write([b"one", b"", b"two"])
        assert not path.exists()
        file.commit()
    assert path.read_bytes() == b"onetwo"
    assert (file.bytes_written, file.sha256) == (6, hashlib.sha256(b"onetwo").hexdigest())
    assert os.listdir(tmp_path) == ["a"]


def test_file_that_is_not_committed_leaves_nothing(tmp_path: Path) -> None:
    write_atomically(str(tmp_path / "a"), b"old")
    with contextlib.suppress(KeyError), AtomicFile(str(tmp_path / "a")) as file:
        file.write([b"new"])
        raise KeyError
    assert (tmp_path / "a").read_bytes() == b"old"
    assert os.listdir(tmp_path) == ["a"]


def test_exclusive_commit_takes_no_name_that_is_taken(tmp_path: Path) -> None:
    write_atomically(str(tmp_path / "a"), b"old")
    with AtomicFile(str(tmp_path / "a")) as file:
        file.write([b"new"])
        with pytest.raises(FileExistsError):
            file.commit_exclusively()
    assert (tmp_path / "a").read_bytes() == b"old"
    assert os.listdir(tmp_path) == ["a"]


def test_short_writes_are_completed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write = os.write
    monkeypatch.setattr(os, "write", lambda descriptor, data: write(descriptor, bytes(data[:3])))
    monkeypatch.setattr(os, "writev", lambda descriptor, buffers: write(descriptor, b"".join(buffers)[:7]))
    with AtomicFile(str(tmp_path / "a")) as file:
        file.write([b"12345", b"67890", b"abcdef"])
        file.commit()
    assert (tmp_path / "a").read_bytes() == b"1234567890abcdef"


@pytest.fixture(params=[False, True], ids=["in the caller", "in a thread"])
def executor(request: pytest.FixtureRequest) -> Iterator[ThreadPoolExecutor | None]:
    if not request.param:
        yield None
        return
    with ThreadPoolExecutor(1) as executor:
        yield executor


@pytest.mark.parametrize("size", [1, 999, 1 << 20, (3 << 20) + 1])
def test_buffers_of_all_sizes_are_written_in_order(
    tmp_path: Path, size: int, executor: ThreadPoolExecutor | None
) -> None:
    buffers = [bytes([number]) * size for number in range(12)]
    with AtomicFile(str(tmp_path / "a"), executor) as file:
        for start in range(0, 12, 3):
            file.write(buffers[start : start + 3])
        file.commit()
    data = b"".join(buffers)
    assert (tmp_path / "a").read_bytes() == data
    assert (file.bytes_written, file.sha256) == (len(data), hashlib.sha256(data).hexdigest())


@pytest.mark.parametrize("chunks", [1, 3, 20])
def test_failure_to_write_is_raised_and_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, chunks: int, executor: ThreadPoolExecutor | None
) -> None:
    def full(descriptor: int, buffers: list[bytes]) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "writev", full)
    with pytest.raises(OSError, match="No space"), AtomicFile(str(tmp_path / "a"), executor) as file:  # noqa: PT012 - at which step, is open
        for _ in range(chunks):
            file.write([b"x" * (1 << 20)])
        file.commit()
    assert os.listdir(tmp_path) == []
