"""Objects of two records: same, changed, come or gone."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from transforms.comparison.compare_boxes import BoxChanges, ComparedObject, compare_objects, iou


def box(name: str, left: float, width: float = 0.2, said: str = "") -> ComparedObject:
    return ComparedObject(name, (0.0, left, 0.5, left + width), said)


CASES = {
    "same in another order": ([box("cat", 0), box("dog", 0.5)], [box("dog", 0.5), box("cat", 0)], ({}, {}, {})),
    "a twin more": ([box("cat", 0)], [box("cat", 0), box("cat", 0)], ({"cat": 1}, {}, {})),
    "moved a little": ([box("cat", 0)], [box("cat", 0.05)], ({}, {}, {"cat": 1})),
    "moved far": ([box("cat", 0)], [box("cat", 0.15)], ({"cat": 1}, {"cat": 1}, {})),
    "another class": ([box("cat", 0)], [box("dog", 0)], ({"dog": 1}, {"cat": 1}, {})),
    "only what is said of it": ([box("cat", 0)], [box("cat", 0, said="difficult")], ({}, {}, {"cat": 1})),
    "best pair first": (
        [box("cat", 0), box("cat", 0.06)],
        [box("cat", 0.05), box("cat", 0.5)],
        ({"cat": 1}, {"cat": 1}, {"cat": 1}),
    ),
    "flat boxes": ([box("cat", 0, 0)], [box("cat", 0.1, 0)], ({"cat": 1}, {"cat": 1}, {})),
}


@pytest.mark.parametrize("case", CASES)
def test_changes(case: str) -> None:
    before, after, (added, removed, changed) = CASES[case]
    found = compare_objects(before, after)
    assert (dict(found.added), dict(found.removed), dict(found.changed)) == (added, removed, changed)


OBJECTS = st.lists(st.builds(box, st.sampled_from(["cat", "dog"]), st.floats(0, 0.7), st.floats(0, 0.3)), max_size=6)


@given(OBJECTS, OBJECTS)
def test_numbers_close_in_both_directions(before: list[ComparedObject], after: list[ComparedObject]) -> None:
    forth, back = compare_objects(before, after), compare_objects(after, before)
    assert len(after) - len(before) == forth.added.total() - forth.removed.total()
    assert (forth.added, forth.removed) == (back.removed, back.added) or forth.changed != back.changed
    assert compare_objects(before, before[::-1]) == BoxChanges()


def test_iou() -> None:
    assert iou((0, 0, 1, 1), (0, 0.5, 1, 1.5)) == pytest.approx(1 / 3)
    assert iou((0, 0, 1, 1), (0, 1, 1, 2)) == 0
