"""VOC's pictures of objects and classes beside its XML files, from the folder to the records."""

from __future__ import annotations

import io
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from tests.sample_data import HEIGHT, WIDTH, build_dataset, encoded, jpeg, values, voc, voc_object, write_files
from transforms.annotations.companion_files import FolderCompanions
from transforms.annotations.voc import read
from transforms.records import AnnotatedImage, MaskFile, ReadContext

OBJECTS = [voc_object("cat"), "<object><name/></object>", voc_object("dog", (20, 6, 30, 16))]
FOLDERS = ("SegmentationObject", "SegmentationClass")


def indices(*regions: tuple[int, slice]) -> bytes:
    """A palette picture: an index from row 6 to 16 in columns; 255 elsewhere in the first row, else 0."""
    pixels = np.zeros((HEIGHT, WIDTH), np.uint8)
    pixels[0] = 255
    for index, columns in regions:
        pixels[6:16, columns] = index
    image = Image.fromarray(pixels, "P")
    image.putpalette(bytes(range(256)) * 3)
    return encoded(image, "PNG")


def read_image(folder: Path, **changes: Any) -> AnnotatedImage:
    context = ReadContext("source", "Annotations/a.xml", companions=FolderCompanions(str(folder), "Annotations"))
    (image,) = read(io.BytesIO(voc("a.jpg", OBJECTS).encode()), replace(context, **changes))
    assert isinstance(image, AnnotatedImage)
    return image


def test_objects_have_the_index_of_their_place_in_the_file(tmp_path: Path) -> None:
    write_files(tmp_path, {f"{folder}/a.png": b"" for folder in FOLDERS})
    image = read_image(tmp_path)
    path = "SegmentationObject/a.png"
    assert [item.mask for item in image.objects] == [MaskFile(path, 1), MaskFile(path, 3)]
    assert image.semantic_map == "SegmentationClass/a.png"


@pytest.mark.parametrize("changes", [{"with_masks": False}, {"companions": None}])
def test_segmentations_that_are_not_wanted(tmp_path: Path, changes: dict[str, Any]) -> None:
    write_files(tmp_path, {f"{folder}/a.png": b"" for folder in FOLDERS})
    image = read_image(tmp_path, **changes)
    assert ([item.mask for item in image.objects], image.semantic_map) == ([None, None], "")


def test_most_images_have_none(tmp_path: Path) -> None:
    write_files(tmp_path, {f"{folder}/b.png": b"" for folder in FOLDERS})
    image = read_image(tmp_path)
    assert ([item.mask for item in image.objects], image.semantic_map) == ([None, None], "")


def test_parts_are_no_objects() -> None:
    part = "<part><name>head</name><bndbox><xmin>5</xmin><ymin>6</ymin><xmax>9</xmax><ymax>9</ymax></bndbox></part>"
    (image,) = read(io.BytesIO(voc("a.jpg", [voc_object("person", more=part)]).encode()), ReadContext("", "a.xml"))
    assert isinstance(image, AnnotatedImage)
    assert [item.class_name for item in image.objects] == ["person"]
    assert image.boxes_read == 1


@pytest.mark.parametrize("annotations", ["Annotations", ""], ids=["folder of annotations", "folder of the dataset"])
def test_masks_and_maps_reach_the_record(tmp_path: Path, annotations: str) -> None:
    files = {
        "JPEGImages/a.jpg": jpeg(),
        "JPEGImages/b.jpg": jpeg(seed=1),
        "Annotations/a.xml": voc("a.jpg", OBJECTS).encode(),
        "Annotations/b.xml": voc("b.jpg", OBJECTS).encode(),
        "SegmentationObject/a.png": indices((1, slice(5, 15)), (3, slice(20, 30))),
        "SegmentationClass/a.png": indices((8, slice(5, 15)), (12, slice(20, 30))),
    }
    write_files(tmp_path / "VOC", files)
    built = build_dataset(tmp_path / "out", tmp_path / "VOC" / annotations, tmp_path / "VOC" / "JPEGImages")
    record = built.by_name()["a.jpg"]
    expected = np.zeros((2, HEIGHT, WIDTH), np.uint8)
    expected[0, 6:16, 5:15] = expected[1, 6:16, 20:30] = 1
    masks = [np.asarray(Image.open(io.BytesIO(data))) for data in values(record, "image/object/mask")]
    np.testing.assert_array_equal(masks, expected)
    (semantic,) = values(record, "image/segmentation/class/encoded")
    pixels = 8 * expected[0] + 12 * expected[1]
    pixels[0] = 255
    np.testing.assert_array_equal(np.asarray(Image.open(io.BytesIO(semantic))), pixels)
    assert not values(built.by_name()["b.jpg"], "image/segmentation/class/encoded")
