from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.annotations.folder_reading import claims, images, read_data, reasons
from tests.sample_data import write_files
from transforms.annotations.annotation_files import find_annotations
from transforms.annotations.read_annotations import read_unit
from transforms.annotations.read_units import read_units
from transforms.records import AnnotatedImage, Box, ImageLabel, Reading, Rejection

FLAGS = "IsOccluded,IsTruncated,IsGroupOf,IsDepiction,IsInside"
HEADER = f"ImageID,Source,LabelName,Confidence,XMin,XMax,YMin,YMax,{FLAGS}\n"
LABELS = "ImageID,Source,LabelName,Confidence\n"
ROW = "0a,xclick,/m/cat,1,0.1,0.5,0.2,0.75,0,1,1,-1,0"
NAMES = "/m/cat,Cat\n/m/pet,Pet\n/m/animal,Animal\n/m/tree,Tree\n"
TREE = {
    "LabelName": "/m/0bl9f",
    "Subcategory": [
        {"LabelName": "/m/tree"},
        {"LabelName": "/m/animal", "Subcategory": [{"LabelName": "/m/pet", "Subcategory": [{"LabelName": "/m/cat"}]}]},
    ],
}


def read_folder(folder: Path, files: dict[str, str | bytes], expand: bool = False) -> list[Reading]:
    write_files(folder, {name: data if isinstance(data, bytes) else data.encode() for name, data in files.items()})
    units = read_units(find_annotations([str(folder)], "auto"), "photos", str(folder), 0)
    return [item for unit in units for item in read_unit(replace(unit, expand_hierarchy=expand))]


SAMPLE = "train-annotations-bbox.csv", f"{HEADER}{ROW}\n"


@given(
    st.lists(
        st.tuples(st.sampled_from(["0a", "1b"]), *[st.floats(0, 1, allow_subnormal=False)] * 4),
        unique=True,
        max_size=9,
    )
)
def test_written_boxes_are_read(rows: list[tuple[str, float, float, float, float]]) -> None:
    lines = [f"{name},x,/m/cat,1,{x0!r},{x1!r},{y0!r},{y1!r},0,0,0,0,0" for name, x0, x1, y0, y1 in rows]
    found = images(read_data("open_images", HEADER + "\n".join(lines), "a.csv"))
    assert {image.unit for image in found.values()} <= {"fractions"}
    assert {name: [item.box for item in image.objects] for name, image in found.items()} == {
        f"{name}.jpg": [Box(x0, y0, x1, y1) for file, x0, x1, y0, y1 in rows if file == name]
        for name in {row[0] for row in rows}
    }


def test_flags_and_ids_for_names() -> None:
    (item,) = images(read_data("open_images", HEADER + ROW, "a.csv"))["0a.jpg"].objects
    assert item.class_name == "/m/cat"
    assert (item.occluded, item.truncated, item.group_of, item.depiction) == (False, True, True, None)


def test_names_labels_and_pictures_of_a_split(tmp_path: Path) -> None:
    files: dict[str, str | bytes] = {
        "oidv6-validation-annotations-bbox.csv": HEADER + ROW,
        "validation-annotations-human-imagelabels.csv": LABELS + "0a,v,/m/tree,1\n0a,v,/m/cat,0\n0b,v,/m/tree,1\n",
        "train-annotations-human-imagelabels.csv": LABELS + "0c,v,/m/tree,1\n",
        "class-descriptions.csv": "LabelName,DisplayName\n" + NAMES,
        "validation-images-with-rotation.csv": "ImageID,Subset\n0a,validation\n",
        "validation/0a.jpg": b"",
        "validation_0/0b.jpg": b"",
    }
    readings = read_folder(tmp_path, files)
    found = images(readings)
    assert set(found) == {"validation/0a.jpg", "validation_0/0b.jpg"}
    first = found["validation/0a.jpg"]
    assert [item.class_name for item in first.objects] == ["Cat"]
    assert first.labels == (ImageLabel("Tree", 1.0), ImageLabel("Cat", 0.0))
    assert first.split == "val"
    assert not [item for item in readings if isinstance(item, Rejection)]


def test_labels_alone() -> None:
    found = images(read_data("open_images", LABELS + "0a,v,/m/tree,0.7\n", "train-imagelabels.csv"))
    assert found["0a.jpg"].labels == (ImageLabel("/m/tree", 0.7),)


@pytest.mark.parametrize(("expand", "classes"), [(False, ["Cat"]), (True, ["Cat", "Animal", "Pet"])])
def test_wider_classes_on_request(expand: bool, classes: list[str], tmp_path: Path) -> None:
    files: dict[str, str | bytes] = {
        "boxes.csv": HEADER + ROW,
        "imagelabels.csv": LABELS + "0a,v,/m/pet,0\n",
        "class-descriptions-boxable.csv": NAMES,
        "bbox_labels_600_hierarchy.json": json.dumps(TREE),
    }
    (found,) = images(read_folder(tmp_path, files, expand)).values()
    assert [item.class_name for item in found.objects] == classes
    labels = [ImageLabel("Pet", 0.0), ImageLabel("Cat", 0.0)]
    assert found.labels == tuple(labels if expand else labels[:1])


AWKWARD = {
    "unknown class": (ROW.replace("cat", "dog"), "unknown_class"),
    "no class": (ROW.replace("/m/cat", ""), "unknown_class"),
    "no number": (ROW.replace("0.75", "x"), "field_not_number"),
    "the same row again": (ROW, "dup_box"),
}


@pytest.mark.parametrize("case", AWKWARD)
def test_awkward_row(case: str, tmp_path: Path) -> None:
    row, reason = AWKWARD[case]
    files: dict[str, str | bytes] = {"a.csv": f"{HEADER}{ROW}\n{row}", "class-descriptions.csv": NAMES}
    (found,) = images(read_folder(tmp_path, files)).values()
    assert reasons(found) == [f"line 3: {reason}"]
    assert len(found.objects) == 1


@pytest.mark.parametrize(
    ("data", "reason", "boxes"),
    [
        (HEADER + "0a,x,/m/cat,1", "field_count", 1),
        (HEADER + ROW.replace("0a", ""), "field_missing", 1),
        (LABELS + "0a,x,/m/cat,2", "field_not_number", 0),
        (LABELS + "0a,x,/m/cat,", "field_not_number", 0),
        ("a,b", "annotation_unreadable", 0),
        (b"\xff\xff", "annotation_unreadable", 0),
    ],
)
def test_refused(data: str | bytes, reason: str, boxes: int) -> None:
    refused = [item for item in read_data("open_images", data, "a.csv") if isinstance(item, Rejection)]
    assert [(item.reason, len(item.problems), item.is_image) for item in refused] == [(reason, boxes, False)]


@pytest.mark.parametrize(
    ("name", "data"),
    [("hierarchy.json", "[]"), ("hierarchy.json", "{"), ("hierarchy.json", '{"LabelName": "a", "Subcategory": [1]}')],
)
def test_broken_hierarchy(name: str, data: str, tmp_path: Path) -> None:
    (refused,) = read_folder(tmp_path, {"a.csv": HEADER + ROW, name: data})
    assert isinstance(refused, Rejection)
    assert refused.reason == "annotation_unreadable"


@given(st.binary(max_size=60))
def test_any_bytes_after_a_header_are_accounted_for(data: bytes) -> None:
    for reading in read_data("open_images", HEADER.encode() + data, "a.csv"):
        assert isinstance(reading, AnnotatedImage | Rejection)


@pytest.mark.parametrize(
    ("head", "is_open_images"),
    [(HEADER, True), (LABELS, True), ("ImageID,Subset\n", False), ("image_id,class,xmin,ymin,xmax,ymax", False)],
)
def test_sniffing(head: str, is_open_images: bool) -> None:
    assert ("open_images" in claims(head, ".csv")) == is_open_images
    assert len(claims(head, ".csv")) <= 1
