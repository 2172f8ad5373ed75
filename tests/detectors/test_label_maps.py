from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from transforms.detectors.label_maps import (
    LabelMap,
    LabelMapRefused,
    find_label_map,
    parse_label_map,
    read_label_map,
)

PARSED = {
    "display name wins": (
        ".pbtxt",
        'item { name: "/m/01g317" id: 1 display_name: "person" }',
        {1: "person"},
    ),
    "name alone": (".pbtxt", "item {\n  id: 3\n  name: 'dog'\n}\n", {3: "dog"}),
    "gaps and any order": (".pbtxt", 'item{id:90 name:"b"} item{name:"a" id:1}', {1: "a", 90: "b"}),
    "colon, commas, comments": (".pbtxt", '# made by hand\nitem: { id: 1, name: "a", }', {1: "a"}),
    "unknown fields and keypoints": (
        ".pbtxt",
        'item { id: 1 name: "a" frequency: FREQUENT keypoints { id: 2 label: "nose" } instance_count: 5 }',
        {1: "a"},
    ),
    "background at 0": (".pbtxt", 'item{id:0 name:"background"} item{id:1 name:"a"}', {1: "a"}),
    "escapes": (".pbtxt", r'item { id: 1 name: "caf\303\251 \"bar\"" }', {1: 'café "bar"'}),
    "decomposed Hangul": (".pbtxt", 'item { id: 1 name: "\u1100\u1161" }', {1: "가"}),
    "TFLite list with ???": (
        ".txt",
        "???\nperson\nbicycle\n???\ncar\n",
        {1: "person", 2: "bicycle", 4: "car"},
    ),
    "background first": (".txt", "background\nperson\n", {1: "person"}),
    "plain list": (".txt", "person\nbicycle\n", {1: "person", 2: "bicycle"}),
    "plain list with a gap": (".txt", "person\n???\n\ncar", {1: "person", 4: "car"}),
    "Windows line ends": (".txt", "person\r\ntraffic light\r\n", {1: "person", 2: "traffic light"}),
    "numbered from a class 0": (".txt", "0  person\n2  car\n", {1: "person", 3: "car"}),
    "numbered from a background 0": (".txt", "0 background\n1 person\n", {1: "person"}),
    "numbered from 1": (".txt", "1: person\n90: tooth brush\n", {1: "person", 90: "tooth brush"}),
    "some names begin with digits": (".txt", "2 wheeler\ncar\n", {1: "2 wheeler", 2: "car"}),
    "csv with a header": (".csv", 'id,name\n1,person\n18,"dog, big"\n', {1: "person", 18: "dog, big"}),
    "csv without a header": (".csv", "7,cat\n\n9,cow,extra\n", {7: "cat", 9: "cow"}),
}


@pytest.mark.parametrize(("suffix", "text", "names"), PARSED.values(), ids=PARSED)
def test_parse(suffix: str, text: str, names: dict[int, str]) -> None:
    assert parse_label_map(text, suffix, source="labels").names == names


REFUSED = {
    "no item": (".pbtxt", "", "no class"),
    "text that is no label map": (".pbtxt", "model { ssd { num_classes: 3 } }", "no class"),
    "broken text": (".pbtxt", 'item { id: 1 name: "a"', "labels"),
    "no id": (".pbtxt", 'item { name: "a" }', "item 1 ('a') has no id"),
    "no name": (".pbtxt", "item { id: 4 }", "id 4 has no name"),
    "negative id": (".pbtxt", 'item { id: -1 name: "a" }', "id -1 of 'a' is not 1 or more"),
    "a class at 0": (".csv", "0,person\n", "id 0 of 'person' is not 1 or more"),
    "two names for an id": (".csv", "1,a\n1,b\n", "id 1 is given to both 'a' and 'b'"),
    "a word for an id": (".csv", "1,a\nx,b\n", "'x,b' is not an id and a name"),
    "only gaps": (".txt", "???\n???\n", "no class"),
}


@pytest.mark.parametrize(("suffix", "text", "words"), REFUSED.values(), ids=REFUSED)
def test_refuses(suffix: str, text: str, words: str) -> None:
    with pytest.raises(LabelMapRefused) as refusal:
        parse_label_map(text, suffix, source="labels")
    assert words in str(refusal.value)
    assert "\n" not in str(refusal.value)


def test_unreadable_files(tmp_path: Path) -> None:
    (tmp_path / "labels.txt").write_bytes("사람".encode("cp949"))
    with pytest.raises(LabelMapRefused, match="not UTF-8 at byte 0"):
        read_label_map(tmp_path / "labels.txt")
    with pytest.raises(LabelMapRefused, match="No such file"):
        read_label_map(tmp_path / "absent.txt")
    with pytest.raises(LabelMapRefused, match=r"give a \.pbtxt, \.csv, \.txt file"):
        read_label_map(tmp_path / "labels.xml")


def test_byte_order_mark_is_no_part_of_a_name(tmp_path: Path) -> None:
    (tmp_path / "labels.txt").write_bytes(b"\xef\xbb\xbfperson\n")
    assert read_label_map(tmp_path / "labels.txt").names == {1: "person"}


def test_unknown_ids_are_named_and_counted() -> None:
    labels = LabelMap({1: "person", 90: "toothbrush"})
    assert [labels.name(class_id) for class_id in (1, 2, 90)] == ["person", "class_2", "toothbrush"]
    assert labels.count_unknown(np.array([1, 2, 2, 90, 91], np.int32)) == 3
    assert LabelMap().count_unknown(np.array([1, 2], np.int32)) == 0


def _write(folder: Path, *names: str) -> None:
    for name in names:
        file = folder / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text("person\n")


FOUND = {
    "beside a file": (("m/a.tflite", "m/labelmap.txt"), "m/a.tflite", "m/labelmap.txt"),
    "above a file": (("m/1/a.pb", "m/label_map.pbtxt"), "m/1/a.pb", "m/label_map.pbtxt"),
    "above a SavedModel": (
        ("m/saved_model/saved_model.pb", "m/mscoco_label_map.pbtxt"),
        "m/saved_model",
        "m/mscoco_label_map.pbtxt",
    ),
    "inside a SavedModel": (("m/saved_model.pb", "m/labels.csv"), "m", "m/labels.csv"),
    "pbtxt before txt": (("m/a.pb", "m/labels.txt", "m/label_map.pbtxt"), "m/a.pb", "m/label_map.pbtxt"),
    "the nearer folder": (("m/a.pb", "m/coco_labels.txt", "label_map.pbtxt"), "m/a.pb", "m/coco_labels.txt"),
    "other texts are none": (
        ("m/a.pb", "m/unlabeled.txt", "m/pipeline.pbtxt", "m/label_studio.csv"),
        "m/a.pb",
        None,
    ),
}


@pytest.mark.parametrize(("files", "model", "found"), FOUND.values(), ids=FOUND)
def test_find(tmp_path: Path, files: tuple[str, ...], model: str, found: str | None) -> None:
    _write(tmp_path, *files)
    assert find_label_map(tmp_path / model) == (tmp_path / found if found else None)


def test_two_label_files_are_not_guessed_between(tmp_path: Path) -> None:
    _write(tmp_path, "a.tflite", "coco_labels.txt", "my_labels.txt")
    with pytest.raises(LabelMapRefused, match=r"coco_labels\.txt, my_labels\.txt; say which with --label_map"):
        find_label_map(tmp_path / "a.tflite")
