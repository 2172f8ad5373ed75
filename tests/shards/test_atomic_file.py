from __future__ import annotations

import contextlib
import hashlib
import os
from pathlib import Path

import pytest

from transforms.shards.atomic_file import AtomicFile, write_atomically


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
    monkeypatch.setattr(os, "writev", lambda descriptor, buffers: os.write(descriptor, b"".join(buffers)[:3]))
    with AtomicFile(str(tmp_path / "a")) as file:
        file.write([b"12", b"345", b"6"])
        file.commit()
    assert (tmp_path / "a").read_bytes() == b"123456"


def test_any_number_of_buffers_is_written(tmp_path: Path) -> None:
    with AtomicFile(str(tmp_path / "a")) as file:
        file.write([b"x"] * 5000)
        file.commit()
    assert (tmp_path / "a").read_bytes() == b"x" * 5000
