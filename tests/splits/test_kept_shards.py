"""Shards that stay: which images are in them, and which numbers they get."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from transforms.splits.kept_shards import KeptShards

HASHES = st.sets(st.integers(0, 2**64 - 1) | st.integers(0, 20), max_size=30)


@given(HASHES, st.dictionaries(st.integers(0, 20) | st.integers(0, 2**64 - 1), st.integers(0, 5), max_size=30))
def test_images_stay_in_their_shards(members: set[int], before: dict[int, int]) -> None:
    kept = KeptShards.of(
        np.array(sorted(members), np.uint64),
        np.array(list(before), np.uint64),
        np.array(list(before.values()), np.int32),
    )
    assert sorted(kept.numbers_before) == list(kept.numbers_before)
    assert set(kept.numbers_before) == {before[key] for key in members & set(before)}
    for key in members | set(before):
        number = kept.number_of(key)
        if key in members and key in before:
            assert number is not None
            assert kept.numbers_before[number] == before[key]
        else:
            assert number is None
