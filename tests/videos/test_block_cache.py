from __future__ import annotations

import io
import os
from pathlib import Path
from typing import BinaryIO

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from transforms.videos.block_cache import BlockCache

CONTENT = bytes(range(256)) * 4 + b"end"
BLOCK = 100


class Recorded(io.BytesIO):
    """Notes the offset of each read; the reads at ``broken`` fail."""

    def __init__(self, data: bytes = CONTENT, broken: tuple[int, ...] = ()) -> None:
        super().__init__(data)
        self.offsets: list[int] = []
        self.broken = list(broken)

    def read(self, size: int | None = -1) -> bytes:
        self.offsets.append(self.tell())
        if self.tell() in self.broken:
            self.broken.remove(self.tell())
            raise TimeoutError("gone")
        return super().read(size)


@settings(max_examples=30)
@given(
    st.lists(st.tuples(st.integers(0, len(CONTENT) + 50), st.integers(-1, 300)), max_size=20),
    st.sampled_from([1, 7, BLOCK, 5000]),
)
def test_any_reads_give_the_bytes_of_the_file(reads: list[tuple[int, int]], block: int) -> None:
    cached, plain = BlockCache(lambda: io.BytesIO(CONTENT), block).open(), io.BytesIO(CONTENT)
    for offset, size in reads:
        assert cached.seek(offset) == plain.seek(offset)
        assert cached.read(size) == plain.read(size)
        assert cached.tell() == plain.tell()
    assert cached.seek(-3, os.SEEK_END) == len(CONTENT) - 3
    assert cached.read() == b"end"


@pytest.mark.parametrize("content", [b"", b"x", b"x" * BLOCK])
def test_small_files(content: bytes) -> None:
    assert BlockCache(lambda: io.BytesIO(content), BLOCK).open().read() == content


def test_each_block_is_fetched_once_and_the_next_one_ahead() -> None:
    source = Recorded()
    cache = BlockCache(lambda: source, BLOCK)
    cache.read(0, 10)
    assert source.offsets == [0]
    cache.read(BLOCK, 10)
    cache.read(0, 10)
    cache.read(2 * BLOCK + 50, 10)
    cache.read(3 * BLOCK, 10)
    cache.size()
    assert source.offsets[:4] == [0, BLOCK, 2 * BLOCK, 3 * BLOCK]
    assert len(set(source.offsets)) == len(source.offsets)


def test_jumping_between_two_places_costs_two_reads() -> None:
    source = Recorded()
    cache = BlockCache(lambda: source, BLOCK)
    for _ in range(10):
        assert cache.read(5, 3) == CONTENT[5:8]
        assert cache.read(905, 3) == CONTENT[905:908]
    assert source.offsets == [0, 900]


def test_a_read_that_fails_is_remembered_and_can_be_tried_again() -> None:
    cache = BlockCache(lambda: Recorded(broken=(BLOCK,)), BLOCK)
    assert cache.read(0, 1) == CONTENT[:1]
    with pytest.raises(TimeoutError):
        cache.read(BLOCK, 1)
    assert isinstance(cache.failure, TimeoutError)
    assert cache.read(BLOCK, 2) == CONTENT[BLOCK : BLOCK + 2]


def test_a_file_that_cannot_be_opened() -> None:
    def missing() -> BinaryIO:
        raise FileNotFoundError("nothing")

    cache = BlockCache(missing)
    for _ in range(2):
        with pytest.raises(FileNotFoundError):
            cache.open()
    assert isinstance(cache.failure, FileNotFoundError)


def test_streams_over_one_cache_do_not_meet(tmp_path: Path) -> None:
    cache = BlockCache(lambda: io.BytesIO(CONTENT), BLOCK)
    first, second = cache.open(), cache.open()
    first.seek(500)
    assert (first.read(2), second.read(2)) == (CONTENT[500:502], CONTENT[:2])
