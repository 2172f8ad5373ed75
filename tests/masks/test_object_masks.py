from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageOps

from tests.sample_data import ORIENTATION_TAG, encoded, write_files
from transforms.examples import feature_keys as keys
from transforms.examples.checked_objects import CheckedObject
from transforms.examples.geometry import Geometry
from transforms.images.check_image import CheckedImage
from transforms.images.image_store import ImageRefused
from transforms.images.local_image_store import LocalImageStore
from transforms.ledger.reasons import Reason
from transforms.masks import object_masks, polygons
from transforms.masks.mask_png import empty_mask_png
from transforms.masks.object_masks import ObjectMasks, encode_masks, read_mask_files
from transforms.records import (
    AnnotatedImage,
    Box,
    Mask,
    MaskBitmap,
    MaskFile,
    ObjectAnnotation,
    PanopticMap,
    Polygons,
    Rle,
)

WIDTH, HEIGHT = 40, 30
EMPTY = empty_mask_png(WIDTH, HEIGHT)
PIXELS = np.zeros((HEIGHT, WIDTH), np.uint8)
PIXELS[5:22, 3:13] = 1
INDICES = np.where(PIXELS, 7, 1).astype(np.uint8)
FILES: dict[str, Any] = {"masks/a.png": encoded(Image.fromarray(INDICES), "PNG")}
SAME: dict[str, Mask] = {
    "polygons": Polygons(((3, 5, 13, 5, 13, 22, 3, 22),)),
    "run lengths": Rle(HEIGHT, WIDTH, (3 * 30 + 5, 17, *[13, 17] * 9, 27 * 30 + 8)),
    "bitmap": MaskBitmap(encoded(Image.fromarray(PIXELS[5:22, 3:13]), "PNG"), 3, 5),
    "file": MaskFile("masks/a.png", 7),
}


def _encoded(*masks: Mask | None, geometry: Geometry | None = None, picture: CheckedImage | None = None) -> ObjectMasks:
    objects = [
        CheckedObject(Box(0, 0, 1, 1), ObjectAnnotation(Box(0, 0, 1, 1), "cat", "7", f"object {number}", mask=mask))
        for number, mask in enumerate(masks)
    ]
    picture = picture or CheckedImage(b"", "jpeg", WIDTH, HEIGHT)
    return encode_masks(objects, picture, geometry or Geometry(WIDTH, HEIGHT, WIDTH, HEIGHT), FILES)


def _pixels(png: bytes) -> np.ndarray[Any, Any]:
    return np.asarray(Image.open(io.BytesIO(png)))


def test_whatever_a_mask_comes_as_its_png_is_the_same() -> None:
    masks = _encoded(*SAME.values())
    assert len(set(masks.pngs)) == 1
    np.testing.assert_array_equal(_pixels(masks.pngs[0]), PIXELS)
    assert masks.problems == []
    assert masks.features() == {keys.MASK: ("bytes", masks.pngs)}


@pytest.mark.parametrize("limit", [60, 1000])
def test_objects_of_many_batches_keep_their_order(monkeypatch: pytest.MonkeyPatch, limit: int) -> None:
    """Computed together or, where their crossings are many, one by one."""
    monkeypatch.setattr(polygons, "_MAX_CROSSINGS", limit)
    forms: list[Mask | None] = [None, Rle(HEIGHT, WIDTH, (7,)), SAME["file"]]
    forms += [Polygons(((0, 0, n, 0, n, n, 0, n),)) for n in range(1, 30)]
    masks = _encoded(*forms * 3)
    assert [int(_pixels(png).sum()) for png in masks.pngs] == [0, 0, 170, *(n * n for n in range(1, 30))] * 3
    assert [row.position for row in masks.problems] == ["object 1", "object 33", "object 65"]


def test_any_value_but_0_of_a_file() -> None:
    assert _pixels(_encoded(MaskFile("masks/a.png")).pngs[0]).all()


def test_objects_without_a_mask_get_one_without_pixels_and_no_weight() -> None:
    masks = _encoded(None, SAME["polygons"], None)
    assert masks.pngs[0] is masks.pngs[2]
    assert masks.pngs[0] == EMPTY
    assert masks.problems == []
    assert masks.features()[keys.MASK_WEIGHT] == ("float", [0.0, 1.0, 0.0])


@pytest.mark.parametrize("mask", SAME.values(), ids=SAME)
@pytest.mark.parametrize("orientation", range(1, 9))
def test_masks_turn_with_the_pixels_under_them(mask: Mask, orientation: int) -> None:
    """Of a mask annotated on the stored pixels of a picture that is written upright."""
    exif = Image.Exif()
    exif[ORIENTATION_TAG] = orientation
    data = encoded(Image.fromarray(PIXELS), "PNG", exif=exif)
    upright = np.asarray(ImageOps.exif_transpose(Image.open(io.BytesIO(data))))
    height, width = upright.shape
    picture = CheckedImage(b"", "jpeg", width, height, orientation)
    masks = _encoded(mask, geometry=Geometry(WIDTH, HEIGHT, width, height, orientation), picture=picture)
    np.testing.assert_array_equal(_pixels(masks.pngs[0]), upright)


@pytest.mark.parametrize("mask", SAME.values(), ids=SAME)
def test_masks_shrink_with_the_picture(mask: Mask) -> None:
    picture = CheckedImage(b"", "jpeg", 20, 15, resized_from=(WIDTH, HEIGHT))
    masks = _encoded(mask, geometry=Geometry(WIDTH, HEIGHT, 20, 15), picture=picture)
    pixels = _pixels(masks.pngs[0]).copy()
    assert pixels[3:11, 2:6].all()
    pixels[2:11, 1:7] = 0  # half pixels of the border may be there or not
    assert not pixels.any()


@pytest.mark.parametrize(
    "mask", [Polygons(((0.075, 1 / 6, 0.325, 1 / 6, 0.325, 22 / 30, 0.075, 22 / 30),)), SAME["file"]]
)
def test_annotations_in_fractions(mask: Mask) -> None:
    masks = _encoded(mask, geometry=Geometry(1, 1, WIDTH, HEIGHT))
    np.testing.assert_array_equal(_pixels(masks.pngs[0]), PIXELS)


DROPPED: dict[str, tuple[Mask, Reason]] = {
    "polygon of two points": (Polygons(((1, 2, 3, 4),)), Reason.POLY_INVALID),
    "run lengths of another size": (Rle(WIDTH, HEIGHT, (1200,)), Reason.RLE_INVALID),
    "polygon outside": (Polygons(((-9, -9, -1, -9, -1, -1),)), Reason.MASK_EMPTY),
    "polygon between the middles of pixels": (Polygons(((1.6, 1.6, 2.4, 1.6, 2.4, 2.4),)), Reason.MASK_EMPTY),
    "run lengths of nothing": (Rle(HEIGHT, WIDTH, (1200,)), Reason.MASK_EMPTY),
    "value of no pixel": (MaskFile("masks/a.png", 9), Reason.MASK_EMPTY),
    "bitmap that is no picture": (MaskBitmap(b"?"), Reason.MASK_UNREADABLE),
    "bitmap larger than the picture": (MaskBitmap(encoded(Image.new("1", (41, 1)), "PNG")), Reason.MASK_SIZE_MISMATCH),
}


@pytest.mark.parametrize(("mask", "reason"), DROPPED.values(), ids=DROPPED)
def test_dropped_masks_have_a_row_and_leave_the_box(mask: Mask, reason: Reason) -> None:
    masks = _encoded(SAME["polygons"], mask)
    assert masks.pngs[1] == EMPTY
    assert masks.weights == [1.0, 0.0]
    (row,) = masks.problems
    assert (row.position, row.box_id, row.class_name, row.status, row.reason) == (
        "object 1",
        "7",
        "cat",
        "repaired",
        reason,
    )
    assert row.detail


def test_a_ring_without_an_area_has_a_row_and_the_others_stay() -> None:
    masks = _encoded(Polygons((*SAME["polygons"].rings, (1, 2))))  # type: ignore[union-attr]
    np.testing.assert_array_equal(_pixels(masks.pngs[0]), PIXELS)
    assert [(row.status, row.reason) for row in masks.problems] == [("repaired", Reason.POLY_INVALID)]


def test_masks_beyond_a_records_size(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(object_masks, "MAX_MASK_BYTES", 2 * len(EMPTY))
    assert len(_encoded(None, None).pngs) == 2
    with pytest.raises(ImageRefused, match="its first 4 masks") as refused:
        _encoded(None, None, None, None)
    assert refused.value.reason == Reason.EXAMPLE_TOO_LARGE


def test_mask_files_are_read_below_the_annotations_roots_only(tmp_path: Path) -> None:
    write_files(tmp_path, {"one/a.png": b"1", "two/a.png": b"2", "two/b.png": b"3", "secret.png": b"4"})
    paths = ["a.png", "b.png", "c.png", "../secret.png", str(tmp_path / "secret.png")]
    objects = [ObjectAnnotation(Box(0, 0, 1, 1), "cat", mask=MaskFile(path)) for path in (*paths, "a.png")]
    image = AnnotatedImage(
        "a.jpg",
        objects=(*objects, ObjectAnnotation(Box(0, 0, 1, 1), "cat")),
        panoptic=PanopticMap("b.png", ()),
        semantic_map="a.png",
    )
    stores = [LocalImageStore(str(tmp_path / "one")), LocalImageStore(str(tmp_path / "two"))]
    assert read_mask_files(image, stores, with_masks=False) == {"a.png": b"1", "b.png": b"3"}
    files = read_mask_files(image, stores, with_masks=True)
    assert (files["a.png"], files["b.png"]) == (b"1", b"3")
    assert files["c.png"].reason == Reason.MASK_MISSING  # type: ignore[union-attr]
    for path in paths[3:]:
        assert files[path].reason == Reason.PATH_OUTSIDE_ROOT  # type: ignore[union-attr]
    assert len(files) == 5
