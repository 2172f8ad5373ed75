from __future__ import annotations

import zlib

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from transforms.masks.deflate_runs import deflate_runs, run_bytes

lengths = st.integers(1, 9) | st.integers(1, 600) | st.integers(1, 100_000)


def one_stream(runs: list[int]) -> bytes:
    (stream,) = deflate_runs(np.array(runs), run_bytes(np.array([0]), len(runs)), np.array([0]))
    return stream


def inflated(data: bytes) -> bytes:
    """All that a whole raw deflate stream holds."""
    inflater = zlib.decompressobj(-zlib.MAX_WBITS)
    result = inflater.decompress(data)
    assert inflater.eof
    assert not inflater.unused_data
    return result


@given(st.lists(lengths, min_size=1, max_size=60))
def test_runs_inflate_to_their_bytes(runs: list[int]) -> None:
    expected = b"".join(bytes([number & 1]) * length for number, length in enumerate(runs))
    assert inflated(one_stream(runs)) == expected


@given(st.lists(st.lists(lengths, min_size=1, max_size=20), min_size=1, max_size=8))
def test_streams_are_those_of_their_own_runs(streams: list[list[int]]) -> None:
    firsts = np.cumsum([0, *map(len, streams[:-1])])
    lengths = np.array([length for runs in streams for length in runs])
    found = deflate_runs(lengths, run_bytes(firsts, len(lengths)), firsts)
    assert found == [one_stream(runs) for runs in streams]


@pytest.mark.parametrize("byte", [0, 1])
def test_runs_of_every_length_to_two_longest_copies(byte: int) -> None:
    for length in range(1, 520):
        runs = [1] * byte + [length]
        assert inflated(one_stream(runs)) == b"\0" * byte + bytes([byte]) * length


def test_a_long_run_takes_two_bits_for_each_longest_copy() -> None:
    assert len(one_stream([258 * 10_000])) < 10_000 * 2 / 8 + 30
