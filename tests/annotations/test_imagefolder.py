from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from tests.annotations.folder_reading import claims, class_ids, images, read_folder
from tests.annotations.reading import image, lines, readings, reasons
from transforms.annotations.annotation_files import find_annotations
from transforms.annotations.companion_digests import companion_digests
from transforms.annotations.imagefolder import class_names_of_card, read
from transforms.records import Box, DeclaredClasses, ObjectAnnotation, Rejection

numbers = st.integers(-40, 400).map(lambda value: value / 4)
sides = st.integers(1, 400).map(lambda value: value / 4)
optional_flags = st.sampled_from([None, False, True])
drawn_objects = st.lists(
    st.tuples(numbers, numbers, sides, sides, st.sampled_from(["cat", "고양이"]), st.integers(0, 9), optional_flags),
    max_size=4,
)


def line(
    bbox: Any = ((1, 2, 10, 20),), category: Any = ("cat",), file_name: Any = "a.jpg", **columns: Any
) -> dict[str, Any]:
    return {"file_name": file_name, "objects": {"bbox": bbox, "category": category, **columns}}


SAMPLE = (
    "metadata.jsonl",
    lines(line(category=["고양이"], id=[3]), line([[1, 2, 3, 4]] * 2, ["고양이", 2], area=[7.5, 8])),
)


@given(drawn_objects, st.sampled_from(["category", "categories", "category_id", "label"]), st.booleans())
def test_what_was_written_is_read(drawn: list[Any], class_key: str, is_list: bool) -> None:
    rows = [
        {"bbox": box, class_key: name, "id": index, "area": area, "iscrowd": crowd}
        for index, (*box, name, area, crowd) in enumerate(drawn)
    ]
    keys = ("bbox", class_key, "id", "area", "iscrowd")
    columns = {key: [row[key] for row in rows] for key in keys}
    entry = {"image_id": 15, "width": 40, "height": 30, "file_name": "x/a.png", "objects": rows if is_list else columns}
    found = image(read, lines(entry))
    assert list(found.objects) == [
        ObjectAnnotation(Box(x, y, x + w, y + h), name, str(index), f"objects[{index}]", area, crowd)
        for index, (x, y, w, h, name, area, crowd) in enumerate(drawn)
    ]
    assert (found.file_name, found.image_id, found.width, found.height) == ("x/a.png", "15", 40, 30)


AWKWARD: dict[str, tuple[Any, list[str]]] = {
    "no JSON": ("{", ["!annotation_unreadable"]),
    "no object": ("[]", ["!field_missing"]),
    "a key twice": ('{"file_name": "a", "file_name": "b"}', ["!json_duplicate_key"]),
    "a key of objects twice": ('{"file_name": "a", "objects": {"bbox": [], "bbox": []}}', ["!json_duplicate_key"]),
    "no file name": (line(file_name=None), ["!field_missing", "-field_missing"]),
    "no objects": ({"file_name": "a.jpg"}, []),
    "null objects": ({"file_name": "a.jpg", "objects": None}, []),
    "empty lists": (line([], []), []),
    "an empty object": ({"file_name": "a.jpg", "objects": {}}, []),
    "objects that are a number": ({"file_name": "a.jpg", "objects": 3}, ["!field_missing"]),
    "an object that is a number": ({"file_name": "a.jpg", "objects": [3]}, ["-field_missing"]),
    "more boxes than classes": (line([[1, 2, 3, 4]] * 2), ["!field_count", "-field_count", "-field_count"]),
    "more ids than boxes": (line(id=[1, 2]), ["!field_count", "-field_count"]),
    "a class for all": (line(category="cat"), ["!field_missing", "-field_missing"]),
    "another column of another length": (line(score=[1, 2, 3]), ["ok"]),
    "no boxes": (line(None), ["-field_missing"]),
    "box of 3 numbers": (line([[1, 2, 3]]), ["-field_missing"]),
    "box that is a number": (line([1]), ["-field_missing"]),
    "box with text": (line([[1, 2, 3, "x"]]), ["-field_not_number"]),
    "box with null": (line([[1, 2, 3, None]]), ["-field_not_number"]),
    "zero width": (line([[1, 2, 0, 4]]), ["-box_empty"]),
    "negative height": (line([[1, 2, 3, -4]]), ["-box_empty"]),
    "no class": (line(category=[None]), ["-field_missing"]),
    "empty class": (line(category=[" "]), ["-field_missing"]),
    "class that is a list": (line(category=[["cat"]]), ["-field_missing"]),
    "half a class": (line(category=[0.5]), ["-field_missing"]),
    "class true": (line(category=[True]), ["-field_missing"]),
    "class with a control character": (line(category=["c\x07t"]), ["-name_not_unicode"]),
    "class -1, which says there is none": (line(category=[-1]), ["-unknown_class"]),
    "class of 30 digits": (line(category=[10**30]), ["-unknown_class"]),
    "area that is text": (line(area=["large"]), ["ok"]),
    "crowd that is no flag": (line(iscrowd=[7]), ["ok"]),
}


@pytest.mark.parametrize("case", AWKWARD)
def test_awkward(case: str) -> None:
    content, expected = AWKWARD[case]
    assert reasons(read, content) == expected


def test_numbers_without_names_are_their_digits() -> None:
    found, declared = readings(read, lines(line([[1, 2, 3, 4]] * 3, [10, 2.0, 2])))
    assert [item.class_name for item in found.objects] == ["10", "2", "2"]  # type: ignore[union-attr]
    assert declared == DeclaredClasses((("2", 3), ("10", 11)))


def card(names: Any, dtype: str = "dtype", nested: str = "sequence") -> str:
    """A README.md that declares names, as the library writes it: ``dtype`` and ``nested`` differ by its version."""
    category = {"name": "category", dtype: {"class_label": {"names": names}}}
    objects = {"name": "objects", nested: [{"name": "bbox", "sequence": "float32"}, category]}
    info = {"features": [{"name": "image", "dtype": "image"}, objects]}
    return f"---\n{yaml.safe_dump({'license': 'mit', 'dataset_info': info})}---\n# Cats\n---\n: [no YAML\n"


def card_of_configurations(*names: list[str]) -> str:
    info = [yaml.safe_load(card(item).split("---")[1])["dataset_info"] for item in names]
    return f"---\n{yaml.safe_dump({'dataset_info': info})}---\n"


@pytest.mark.parametrize(
    "text",
    [
        card({"0": "cat", "1": "big  dog"}),
        card({1: "big dog", 0: "cat"}),
        card(["cat", "big dog"], "sequence", "struct"),
        card(["cat", "big dog"], "list", "list"),
        card(["cat", "big dog"]).replace("\n", "\r\n"),
        card_of_configurations(["cat", "big dog"], ["cat", "big dog"]),
        "---\ndataset_info: {features: [{name: objects, struct: [{name: labels, list: {dtype: {class_label: {names: "
        "[cat, big dog]}}}}]}]}\n---",
    ],
)
def test_names_of_numbers_are_in_the_card(text: str, tmp_path: Path) -> None:
    files = {"README.md": text, "data/train/metadata.jsonl": lines(line(category=[1])), "data/train/a.jpg": b""}
    found = read_folder(tmp_path, files)
    assert class_ids(found) == {"cat": 1, "big dog": 2}
    assert images(found)["data/train/a.jpg"].objects[0].class_name == "big dog"


@pytest.mark.parametrize(
    "text",
    ["", "# Cats", "---\nlicense: mit\n---\n", "---\ndataset_info: {features: 3}\n---\n", "---\nno end", "--- x"],
)
def test_card_without_names(text: str) -> None:
    assert class_names_of_card(text) == ()


def test_numbers_that_the_card_does_not_name_are_unknown(tmp_path: Path) -> None:
    objects = lines(line([[1, 2, 3, 4]] * 4, ["dog", 0, 1, 2]))
    found = read_folder(tmp_path, {"README.md": card({"0": "cat", "2": " "}), "metadata.jsonl": objects, "a.jpg": b""})
    (read_image,) = images(found).values()
    assert [item.class_name for item in read_image.objects] == ["dog", "cat"]
    assert [problem.reason for problem in read_image.problems] == ["unknown_class"] * 2


@pytest.mark.parametrize(
    "text",
    [
        "---\ndataset_info: [\n---\n",
        "---\n- a\n---\n",
        "---\na: \x07\n---\n",
        "---\ndataset_info: &a [*a]\nb: &b {features: *b\n---\n",
        card({"a": "cat"}),
        card({-1: "cat"}),
        card({"9" * 30: "cat"}),
        card([["cat"]]),
        card_of_configurations(["cat"], ["dog"]),
        b"---\n\xff\xff",
    ],
)
def test_broken_card_refuses_the_file(text: str | bytes, tmp_path: Path) -> None:
    (found,) = read_folder(tmp_path, {"README.md": text, "metadata.jsonl": lines(line())})
    assert isinstance(found, Rejection)
    assert (found.reason, found.is_image) == ("annotation_unreadable", False)
    assert "README.md" in found.detail


def test_a_changed_card_is_another_input(tmp_path: Path) -> None:
    read_folder(tmp_path, {"README.md": card(["cat"]), "metadata.jsonl": lines(line()), "a.jpg": b""})
    (digest,) = companion_digests(find_annotations([str(tmp_path)], "auto")).values()
    (tmp_path / "README.md").write_text(card(["dog"]))
    assert companion_digests(find_annotations([str(tmp_path)], "auto")) not in ({}, {"README.md": digest})


@pytest.mark.parametrize(
    ("metadata", "file_name", "split"),
    [
        ("train/metadata.jsonl", "0001.png", "train"),
        ("data/validation/metadata.jsonl", "0001.png", "val"),
        ("metadata.jsonl", "test/0001.png", "test"),
        ("data/train-00000/metadata.jsonl", "images/0001.png", "train"),
        ("metadata.jsonl", "0001.png", ""),
    ],
)
def test_folders_are_splits(metadata: str, file_name: str, split: str, tmp_path: Path) -> None:
    place = str(Path(metadata).parent / file_name)
    found = read_folder(tmp_path, {metadata: lines(line(file_name=file_name)), place: b""})
    assert {name: item.split for name, item in images(found).items()} == {place: split}


@pytest.mark.parametrize(
    ("head", "is_claimed"),
    [
        (SAMPLE[1], True),
        ('{"image_id": 3, "width": 9, "objects": [], "file_name": "a', True),
        ('{"file_name": "a.jpg", "objects": null}', True),
        ('{"file_name": "a.jpg", "text": "a cat"}', False),
        ('[{"file_name": "a.jpg", "objects": {}}]', False),
        ("", False),
    ],
)
def test_sniffing(head: str, is_claimed: bool) -> None:
    assert claims(head, ".jsonl") == (["imagefolder"] if is_claimed else [])
