from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from transforms.examples.class_ids import ClassIdsRefused, number_classes
from transforms.records import DeclaredClasses

CATS_AND_DOGS = DeclaredClasses((("dog", 3), ("cat", 18)))
class_names = st.text("abc", min_size=1, max_size=2)


def test_declared_ids_are_kept_with_their_gaps() -> None:
    ids = number_classes(["cat"], [CATS_AND_DOGS])
    assert ids.labels == {"dog": 3, "cat": 18}
    assert ids.indices == {"dog": 0, "cat": 1}


def test_dense_ids_keep_the_declared_order() -> None:
    assert number_classes(["cat"], [CATS_AND_DOGS], "dense").labels == {"dog": 1, "cat": 2}


def test_names_are_numbered_where_nothing_is_declared() -> None:
    assert number_classes({"b", "a", "C"}, []).labels == {"C": 1, "a": 2, "b": 3}


@pytest.mark.parametrize(
    "declared",
    [
        [CATS_AND_DOGS, DeclaredClasses((("cat", 1),))],
        [CATS_AND_DOGS, DeclaredClasses((("bird", 3),))],
        [DeclaredClasses((("cat", 1), ("cat", 2)))],
        [DeclaredClasses((("bird", 1),))],
    ],
    ids=["one name, two ids", "one id, two names", "twice in one file", "a class that none declares"],
)
def test_contradictory_ids_are_numbered_anew_or_refused(declared: list[DeclaredClasses]) -> None:
    names = sorted({"cat", *(name for classes in declared for name, _ in classes.ids)})
    assert list(number_classes(["cat"], declared).labels.items()) == [(name, n) for n, name in enumerate(names, 1)]
    with pytest.raises(ClassIdsRefused, match="--class_ids=dense"):
        number_classes(["cat"], declared, "source")


@pytest.mark.parametrize("class_id", [0, -1, 2**31])
def test_ids_that_trainers_cannot_use_are_refused_with_advice(class_id: int) -> None:
    declared = [DeclaredClasses((("cat", class_id), ("dog", 5)))]
    for numbering in ("auto", "source"):
        with pytest.raises(ClassIdsRefused, match=rf"'cat' the id {class_id}.*--class_ids=dense.*--class_map"):
            number_classes(["cat"], declared, numbering)  # type: ignore[arg-type]
    assert set(number_classes(["cat"], declared, "dense").labels.values()) == {1, 2}


def test_class_map_is_the_last_word() -> None:
    assert number_classes(["cat", "bird"], [CATS_AND_DOGS], "source", {"cat": 7}).labels == {"cat": 7}


@given(st.sets(class_names), st.lists(st.lists(st.tuples(class_names, st.integers(1, 5))).map(tuple), max_size=3))
def test_every_class_has_one_id_of_its_own(used: set[str], declared: list[tuple[tuple[str, int], ...]]) -> None:
    ids = number_classes(used, [DeclaredClasses(pairs) for pairs in declared])
    assert set(ids.labels) == used | {name for pairs in declared for name, _ in pairs}
    assert len(set(ids.labels.values())) == len(ids.labels)
    assert sorted(ids.indices.values()) == list(range(len(ids.labels)))
    assert sorted(ids.labels, key=ids.labels.__getitem__) == sorted(ids.indices, key=ids.indices.__getitem__)
