from __future__ import annotations

import os

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from transforms.annotations.spilled_numbers import SpilledNumbers

parts = st.lists(st.lists(st.floats(allow_nan=False), max_size=9), max_size=20)


@given(parts, st.sampled_from([0, 100, 1 << 20]), st.data())
def test_ranges_come_back(parts: list[list[float]], memory: int, data: st.DataObject) -> None:
    numbers = SpilledNumbers(memory)
    flat: list[float] = []
    for part in parts:
        assert numbers.append(np.array(part, float)) == len(flat)
        flat += part
    place = st.integers(0, len(flat))
    for _ in range(2):
        wanted = data.draw(st.lists(st.tuples(place, place).map(sorted), max_size=5))
        starts, ends = np.array(wanted, int).reshape(-1, 2).T
        expected = [number for start, end in wanted for number in flat[start:end]]
        assert numbers.take(starts, ends - starts).tolist() == expected


def test_files_are_anonymous(tmp_path: object, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    numbers = SpilledNumbers(memory_bytes=1000)
    for _ in range(100):
        numbers.append(np.ones(1000))
    assert os.listdir(str(tmp_path)) == []
    assert numbers.take(np.array([0]), np.array([100_000])).sum() == 100_000
