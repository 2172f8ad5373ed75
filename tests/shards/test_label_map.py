from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from transforms.annotations.fields import clean_class_name, is_text
from transforms.shards.label_map import label_map_text, labels_csv, parse_class_map

letters = st.characters(codec="utf-8", exclude_characters="}") | st.sampled_from('"\\{,:#')
names = st.text(letters, min_size=1, max_size=8).map(clean_class_name)
labels = st.dictionaries(names.filter(lambda name: name != "" and is_text(name)), st.integers(1, 2**31 - 1), max_size=5)
unique_labels = labels.filter(lambda classes: bool(classes) and len(set(classes.values())) == len(classes))


@given(unique_labels)
def test_label_map_is_read_back(classes: dict[str, int]) -> None:
    assert parse_class_map(label_map_text(classes).encode()) == classes


@given(unique_labels)
def test_csv_is_read_back(classes: dict[str, int]) -> None:
    assert parse_class_map(labels_csv(classes).encode()) == classes


def test_label_map_of_other_writers() -> None:
    text = """
# COCO
item {
  name: "/m/01g317"
  id: 1
  display_name: "person"
}
item { id: 3 name: 'a "quoted" name' }
"""
    assert parse_class_map(text.encode()) == {"person": 1, 'a "quoted" name': 3}


@pytest.mark.parametrize(
    ("text", "classes"),
    [
        (label_map_text({"a}b": 1}), {"a}b": 1}),
        ('item { name: "hand" id: 7 keypoints { id: 1 label: "thumb" } }', {"hand": 7}),
    ],
    ids=["in a name", "of a keypoint"],
)
def test_braces_within_items(text: str, classes: dict[str, int]) -> None:
    assert parse_class_map(text.encode()) == classes


def test_csv_of_other_writers() -> None:
    assert parse_class_map("\ufeff1,cat\r\n\r\n 2 , big  dog \r\n".encode()) == {"cat": 1, "big dog": 2}
    assert parse_class_map("1,고양이\n".encode("cp949")) == {"고양이": 1}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "names no class"),
        ("cat\ndog\n", "not ID,NAME"),
        ("id,name\n1,cat\n", "not ID,NAME"),
        ("0,cat\n", "0 is the background"),
        ("-1,cat\n", "ids begin at 1"),
        ("1,cat\n1,dog\n", "stands twice"),
        ("1,cat\n2,cat \n", "stands twice"),
        ("1,\n", "not ID,NAME"),
        ('item { name: "cat" }', "needs a name and an id"),
        ("item { id: 1 }", "needs a name and an id"),
        ('item { id: 0 name: "cat" }', "0 is the background"),
    ],
)
def test_what_is_refused(text: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        parse_class_map(text.encode())


def test_bytes_that_are_no_text_are_refused() -> None:
    with pytest.raises(ValueError, match="no text"):
        parse_class_map(b"\xff\xff")
