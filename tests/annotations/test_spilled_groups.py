from __future__ import annotations

import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from transforms.annotations.spilled_groups import SpilledGroups

entries = st.lists(st.tuples(st.sampled_from(["1", "2", "한글", "\ud800", "x" * 50]), st.integers()), max_size=60)


@given(entries, entries, st.sampled_from([0, 100, 1 << 20]))
def test_groups_hold_what_was_added_in_order(
    items: list[tuple[str, int]], at_once: list[tuple[str, int]], memory: int
) -> None:
    groups = SpilledGroups(memory)
    expected: dict[str, list[tuple[int]]] = {}
    for key, value in items:
        groups.append(key, (value,))
    groups.extend((key, (value,)) for key, value in at_once)
    for key, value in items + at_once:
        expected.setdefault(key, []).append((value,))
    found = list(groups.groups())
    assert dict(found) == expected
    assert len(found) == len(expected)


@pytest.mark.parametrize("memory", [0, 1 << 20], ids=["on disk", "in memory"])
def test_files_are_anonymous_and_closed(memory: int, tmp_path: object, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    descriptors = len(os.listdir("/proc/self/fd"))
    groups = SpilledGroups(memory)
    for number in range(1000):
        groups.append(str(number % 100), (number,))
    assert os.listdir(str(tmp_path)) == []
    assert sum(len(values) for _, values in groups.groups()) == 1000
    assert len(os.listdir("/proc/self/fd")) == descriptors
