from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.annotations.folder_reading import claims, class_ids, image, images, read_data, read_folder, reasons
from transforms.records import AnnotatedImage, Box, Keypoint, Polygons, Rejection

LINE = "0 0.5 0.5 0.25 0.5"
NAMES = "cat\nbig dog\n"
POSE = "names: [person]\nkpt_shape: [2, 3]\ntrain: images\n"


SAMPLE = "a.txt", f"{LINE}\n15 0.1 0.2 0.1 0.1\n"


@given(
    st.lists(
        st.tuples(st.integers(0, 79), *[st.floats(0.001, 1, allow_subnormal=False)] * 4), unique=True, max_size=20
    ),
    st.sampled_from([" ", "\t", "  "]),
    st.sampled_from(["\n", "\r\n", "\r"]),
)
def test_written_boxes_are_read(rows: list[tuple[int, float, float, float, float]], space: str, end: str) -> None:
    found = image(read_data("yolo", end.join(space.join(map(repr, row)) for row in rows)))
    assert found.unit == "fractions"
    boxes = [Box(x - width / 2, y - height / 2, x - width / 2 + width, y - height / 2 + height)
             for _, x, y, width, height in rows]  # fmt: skip
    assert [item.box for item in found.objects] == boxes
    assert [item.class_name for item in found.objects] == [f"class_{row[0]}" for row in rows]
    assert found.problems == ()


@pytest.mark.parametrize("score", ["0.93", "1", "1.0", "0"])
@pytest.mark.parametrize("description", ["names: [cat]", "names: [cat]\nkpt_shape: [2, 3]"])
def test_the_score_after_a_box_is_passed_over(tmp_path: Path, score: str, description: str) -> None:
    files = {"a.txt": f"{LINE} {score}", "b.txt": LINE, "data.yaml": description}
    found = images(read_folder(tmp_path, files))
    assert found["a"].objects == found["b"].objects
    assert reasons(found["a"]) == []


AWKWARD = {
    "4 columns": ("0 0.5 0.5 0.25", "field_count"),
    "a score that is no number": ("0 0.5 0.5 0.25 0.5 high", "field_not_number"),
    "polygon with half a point": ("0 0.1 0.1 0.2 0.1 0.2 0.2 0.3", "field_count"),
    "class that is no number": ("cat 0.5 0.5 0.25 0.5", "field_not_number"),
    "half a class": ("0.5 0.5 0.5 0.25 0.5", "field_not_number"),
    "class nan": ("nan 0.5 0.5 0.25 0.5", "field_not_number"),
    "negative class": ("-1 0.5 0.5 0.25 0.5", "unknown_class"),
    "class after the last": ("2 0.5 0.5 0.25 0.5", "unknown_class"),
    "class of 30 digits": ("9" * 30 + " 0.5 0.5 0.25 0.5", "unknown_class"),
    "decimal comma": ("0 0,5 0,5 0,25 0,5", "field_not_number"),
    "commas between": ("0,0.5,0.5,0.25,0.5", "field_count"),
    "underscore": ("0 0_5 0.5 0.25 0.5", "field_not_number"),
    "None": ("0 None 0.5 0.25 0.5", "field_not_number"),
    "zero width": ("0 0.5 0.5 0 0.5", "box_empty"),
    "negative height": ("0 0.5 0.5 0.25 -0.5", "box_empty"),
    "the same line again": (LINE, "dup_box"),
    "bad number in a polygon": ("0 0.1 0.1 0.2 x 0.2 0.2", "field_not_number"),
}


@pytest.mark.parametrize("case", AWKWARD)
def test_awkward_line(case: str, tmp_path: Path) -> None:
    line, reason = AWKWARD[case]
    found = image(read_folder(tmp_path, {"a.txt": f"{LINE}\n\n{line}\n1 0.5 0.5 0.1 0.1", "classes.txt": NAMES}))
    assert reasons(found) == [f"line 3: {reason}"]
    assert [(item.class_name, item.position) for item in found.objects] == [("cat", "line 1"), ("big dog", "line 4")]


@pytest.mark.parametrize("line", ["0.0 0.5 0.5 0.25 0.5", "+0 .5 5e-1 0.25 0.50 ", "\ufeff0 0.5 0.5 0.25 0.5"])
def test_other_spellings(line: str) -> None:
    (item,) = image(read_data("yolo", line)).objects
    assert item[:2] == (Box(0.375, 0.25, 0.625, 0.75), "class_0")


@pytest.mark.parametrize("values", ["nan 0.5 0.25 0.5", "0.5 inf 0.25 0.5", "0.5 0.5 nan 0.5"])
def test_what_is_not_finite_is_left_to_the_check(values: str) -> None:
    assert len(image(read_data("yolo", f"0 {values}")).objects) == 1


def test_polygons_and_oriented_boxes_have_their_points_as_mask() -> None:
    found = image(read_data("yolo", "0 0.1 0.2 0.4 0.2 0.4 0.6\n1 0.5 0.1 0.9 0.5 0.5 0.9 0.1 0.5"))
    assert [item.box for item in found.objects] == [Box(0.1, 0.2, 0.4, 0.6), Box(0.1, 0.1, 0.9, 0.9)]
    assert found.objects[0].mask == Polygons(((0.1, 0.2, 0.4, 0.2, 0.4, 0.6),))


@pytest.mark.parametrize(
    ("shape", "points", "keypoints"),
    [
        ("[2, 3]", "0.4 0.5 2 0 0 0", (Keypoint(0.4, 0.5, 2), Keypoint(0, 0, 0))),
        ("[2, 3]", "0.4 0.5 1.000 0.1 0.2 2.0", (Keypoint(0.4, 0.5, 1), Keypoint(0.1, 0.2, 2))),
        ("[2, 2]", "0.4 0.5 0 0", (Keypoint(0.4, 0.5, 2), Keypoint(0, 0, 0))),
        ("[2, 3]", "", None),
    ],
)
def test_keypoints(shape: str, points: str, keypoints: tuple[Keypoint, ...] | None, tmp_path: Path) -> None:
    files = {"data.yaml": f"names: [person]\nkpt_shape: {shape}\npath: .", "labels/a.txt": f"{LINE} {points}"}
    (item,) = image(read_folder(tmp_path, files)).objects
    assert (item.box, item.keypoints) == (Box(0.375, 0.25, 0.625, 0.75), keypoints)


@pytest.mark.parametrize(
    ("points", "reason"),
    [
        ("0.4 0.5 2 0 0", "field_count"),
        ("0.4 0.5 7 0 0 0", "field_not_number"),
        ("0.4 0.5 nan 0 0 0", "field_not_number"),
    ],
)
def test_awkward_keypoints(points: str, reason: str, tmp_path: Path) -> None:
    readings = read_folder(tmp_path, {"data.yaml": POSE, "a.txt": f"{LINE}\n{LINE} {points}"})
    assert reasons(image(readings)) == [f"line 2: {reason}"]


@pytest.mark.parametrize(
    "names",
    [
        "names: [cat, big dog]",
        "names:\n- cat\n- 'big  dog'",
        "names:\n  0: cat\n  1: big dog\nkpt_shape: null",
        "names: {1: big dog, 0: cat}",
    ],
)
def test_names_of_a_description(names: str, tmp_path: Path) -> None:
    files = {"data.yaml": f"train: images\n{names}\n", "labels/train/a.txt": "1 0.5 0.5 0.1 0.1"}
    readings = read_folder(tmp_path, files)
    assert class_ids(readings) == {"cat": 1, "big dog": 2}
    assert image(readings).objects[0].class_name == "big dog"


@pytest.mark.parametrize(
    ("files", "expected"),
    [
        ({"obj.names": NAMES}, "cat"),
        ({"labels/classes.txt": "near\n", "obj.names": NAMES}, "near"),
        ({"coco.names": NAMES}, "cat"),
        ({"a.names": NAMES, "b.names": "x\n", "obj.names": "right"}, "right"),
        ({"classes.txt": "사람\n".encode("cp949")}, "사람"),
        ({"classes.txt": "사람\n".encode("utf-16")}, "사람"),
        ({"classes.txt": "\ufeffcat\r\n"}, "cat"),
        ({}, "class_0"),
    ],
)
def test_names_are_those_of_the_nearest_list(files: dict[str, str | bytes], expected: str, tmp_path: Path) -> None:
    (item,) = image(read_folder(tmp_path, {"labels/a.txt": LINE, **files})).objects
    assert item.class_name == expected


def test_lists_beside_a_folder_of_labels_are_found(tmp_path: Path) -> None:
    files = {"labels/a.txt": LINE, "obj.names": NAMES, "data.yaml": "no description"}
    assert image(read_folder(tmp_path, files, annotations="labels")).objects[0].class_name == "cat"


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("data.yaml", "names: 7\ntrain: x"),
        ("data.yaml", "names: [a, [b]]\ntrain: x"),
        ("data.yaml", "names: {a: b}\ntrain: x"),
        ("data.yaml", "names: [a\ntrain: x"),
        ("data.yaml", "names: [a]\ntrain: x\nkpt_shape: [17]"),
        ("data.yaml", "names: [a]\ntrain: x\nkpt_shape: [17, 4]"),
        ("data.yaml", b"names: [a]\ntrain: x\n#\xff\xff"),
        ("classes.txt", b"\xff\xff"),
    ],
)
def test_broken_description_refuses_the_labels(name: str, content: str | bytes, tmp_path: Path) -> None:
    readings = read_folder(tmp_path, {name: content, "labels/a.txt": LINE})
    refused = {(item.annotation_file, item.reason) for item in readings if isinstance(item, Rejection)}
    assert len(refused) == len(readings)
    assert ("labels/a.txt", "annotation_unreadable") in refused


def test_class_without_a_fit_name(tmp_path: Path) -> None:
    files = {"data.yaml": 'names: {0: "a\\u0001", 2: b}\npath: .', "a.txt": f"{LINE}\n1{LINE[1:]}"}
    readings = read_folder(tmp_path, files)
    assert reasons(image(readings)) == ["line 1: name_not_unicode", "line 2: unknown_class"]
    assert class_ids(readings) == {"b": 3}


@pytest.mark.parametrize(
    ("label", "picture", "split"),
    [
        ("labels/train/a.txt", "images/train/a.jpg", "train"),
        ("train/labels/a.txt", "train/images/a.png", "train"),
        ("valid/a.txt", "valid/a.JPEG", "val"),
        ("labels/train2017/a.b.txt", "images/train2017/a.b.jpg", "train"),
        ("obj_train_data/a.txt", "obj_train_data/a.jpg", "train"),
        ("obj_train_data/a.txt", "a.jpg", "train"),
        ("a.txt", "images/a.jpg", ""),
        ("labels/train/a.txt", "a.jpg", "train"),
    ],
)
def test_images_beside_their_labels(label: str, picture: str, split: str, tmp_path: Path) -> None:
    found = image(read_folder(tmp_path, {label: LINE, picture: b""}))
    assert (found.file_name, found.split, found.repairs) == (picture, split, ())


def test_missing_images_of_one_name_stay_apart(tmp_path: Path) -> None:
    readings = read_folder(tmp_path, {"labels/train/a.txt": LINE, "labels/val/a.txt": LINE})
    assert set(images(readings)) == {"train/a", "val/a"}


def test_lists_tell_splits_and_images_without_labels(tmp_path: Path) -> None:
    files = {
        "obj.names": NAMES,
        "obj.data": "classes = 2",
        "train.txt": "data/obj_train_data/a.jpg\r\ndata/obj_train_data/b.jpg\r\n",
        "valid.txt": "data/obj_train_data/c.jpg\n",
        "obj_train_data/a.txt": LINE,
        "obj_train_data/c.txt": "",
        **{f"obj_train_data/{name}.jpg": b"" for name in "abc"},
    }
    found = images(read_folder(tmp_path, files))
    assert {name[-5:]: (item.split, len(item.objects)) for name, item in found.items()} == {
        "a.jpg": ("train", 1),
        "b.jpg": ("train", 0),
        "c.jpg": ("val", 0),
    }


def test_description_tells_images_without_labels(tmp_path: Path) -> None:
    files = {
        "data.yaml": "path: ../datasets/x\ntrain: images/train\nval: ../images/val\ntest:\nnames: {0: cat}\n",
        "labels/train/a.txt": LINE,
        **{f"images/{name}.jpg": b"" for name in ("train/a", "train/b", "val/a")},
    }
    found = images(read_folder(tmp_path, files))
    assert {name: item.split for name, item in found.items()} == {
        "images/train/a.jpg": "train",
        "images/train/b.jpg": "train",
    }


def test_list_of_another_datasets_images_says_nothing(tmp_path: Path) -> None:
    assert read_folder(tmp_path, {"train.txt": "images/a.jpg\nimages/b.jpg", "images/a.jpg": b""}) == []


def test_files_around_the_labels_are_no_annotations(tmp_path: Path) -> None:
    around = ("classes.txt", "obj.names", "README.roboflow.txt", "labels/classes.txt", "notes.json", "LICENSE.txt")
    readings = read_folder(tmp_path, {"labels/a.txt": LINE, **dict.fromkeys(around, "cat\n")})
    assert list(images(readings)) == ["a"]
    assert not [item for item in readings if isinstance(item, Rejection)]


@pytest.mark.parametrize("content", ["", " \r\n", "\ufeff"])
def test_empty_file_is_an_image_without_objects(content: str, tmp_path: Path) -> None:
    found = images(read_folder(tmp_path, {"train/a.txt": LINE, "val/b.txt": content}))
    assert {name: len(item.objects) for name, item in found.items()} == {"train/a": 1, "val/b": 0}


def test_damaged_file_among_labels_is_an_image(tmp_path: Path) -> None:
    found = images(read_folder(tmp_path, {"x/a.txt": LINE, "x/b.txt": "0 0.5 0.5 0.1", "c.txt": "some notes"}))
    assert set(found) == {"x/a", "x/b"}
    assert reasons(found["x/b"]) == ["line 1: field_count"]


@given(st.binary(max_size=60) | st.text(st.sampled_from("0123456789.-einfa \n\t"), max_size=60).map(str.encode))
def test_any_bytes_are_an_image_or_a_rejection(data: bytes) -> None:
    readings = read_data("yolo", data)
    assert [type(item) in (AnnotatedImage, Rejection) for item in readings][-1]


@pytest.mark.parametrize(
    ("head", "is_yolo"),
    [
        (LINE, True),
        ("\ufeff" + LINE, True),
        (LINE.encode("utf-16"), True),
        (f"{LINE}\n0 0.5 0.5\n{LINE}", True),
        ("0 0.1 0.1 0.2 0.1 0.2 0.2", True),
        ("images/a.jpg\nimages/b.PNG", True),
        (f"{LINE}\n" * 5000, True),
        ("0 10 20 30 40", False),
        ("0 0.5 0.5 0.5", False),
        ("a.jpg\n1", False),
        ("some text", False),
        (b"\xff\xfe\xff", False),
        ("", False),
    ],
)
def test_sniffing(head: str | bytes, is_yolo: bool) -> None:
    assert claims(head) == (["yolo"] if is_yolo else [])


def test_sniffing_descriptions() -> None:
    assert claims("train: x\nnames: [a]", ".yaml") == ["yolo"]
    assert claims("names: [a]", ".yaml") == []
