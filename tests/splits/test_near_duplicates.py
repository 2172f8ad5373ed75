"""Pairs of hashes a few bits apart, and what hangs together by pairs; compared with the obvious ways."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from transforms.splits import near_duplicates
from transforms.splits.near_duplicates import MAX_DISTANCE, Components, bit_counts, near_pairs


def clustered(seed: int, count: int) -> np.ndarray:
    """Different hashes, many of them a few bits from others."""
    random = np.random.default_rng(seed)
    hashes = random.integers(0, 2**64, count, dtype=np.uint64)
    for _ in range(count):
        i, j = random.integers(0, count, 2)
        flips = random.choice(64, random.integers(0, 14), replace=False)
        hashes[j] = hashes[i] ^ np.uint64(sum(1 << int(bit) for bit in flips))
    return np.unique(hashes)


def pairs_by_comparing_all(hashes: np.ndarray, distance: int) -> set[tuple[int, int]]:
    values = hashes.tolist()
    return {
        (i, j)
        for i in range(len(values))
        for j in range(i + 1, len(values))
        if (values[i] ^ values[j]).bit_count() <= distance
    }


@pytest.mark.parametrize("distance", range(MAX_DISTANCE + 1))
@pytest.mark.parametrize("pairs_at_once", [1, 7, 1 << 22])
def test_all_near_pairs_and_no_others(distance: int, pairs_at_once: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(near_duplicates, "_PAIRS_AT_ONCE", pairs_at_once)
    hashes = clustered(distance, 60)
    found = {pair for i, j in near_pairs(hashes, distance) for pair in zip(i.tolist(), j.tolist(), strict=True)}
    assert found == pairs_by_comparing_all(hashes, distance)
    assert found or distance == 0


@pytest.mark.parametrize("count", [0, 1, 2])
def test_few_hashes(count: int) -> None:
    hashes = np.array([5, 7][:count], np.uint64)
    assert sum(len(i) for i, _ in near_pairs(hashes, 3)) >= (count == 2)


@given(st.lists(st.integers(0, 2**64 - 1)))
def test_bit_counts(values: list[int]) -> None:
    assert bit_counts(np.array(values, np.uint64)).tolist() == [value.bit_count() for value in values]


@settings(max_examples=200)
@given(st.lists(st.lists(st.tuples(st.integers(0, 19), st.integers(0, 19)), max_size=12), max_size=4))
def test_components(batches: list[list[tuple[int, int]]]) -> None:
    components = Components(20)
    expected = list(range(20))
    for pairs in batches:
        firsts, seconds = (np.array([pair[k] for pair in pairs], np.int64) for k in (0, 1))
        components.join(firsts, seconds)
        for a, b in pairs:
            low, high = sorted((expected[a], expected[b]))
            expected = [low if root == high else root for root in expected]
    assert components.roots.tolist() == expected


def test_a_large_set_is_searched_quickly() -> None:
    """200,000 hashes; comparing all pairs would be 20 billion comparisons."""
    hashes = np.unique(np.random.default_rng(3).integers(0, 2**64, 200_000, dtype=np.uint64))
    planted = np.unique(np.concatenate([hashes, hashes[:500] ^ np.uint64(0b10011)]))
    assert sum(len(i) for i, _ in near_pairs(planted, 3)) >= 500
