from __future__ import annotations

import io
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from transforms.examples import feature_keys as keys
from transforms.examples.class_ids import ClassIds
from transforms.examples.geometry import Geometry, geometry_of
from transforms.images.check_image import CheckedImage
from transforms.images.image_store import ImageRefused
from transforms.ledger.reasons import Reason
from transforms.ledger.refusal import Refusal
from transforms.masks.maps import EncodedMaps, encode_maps, panoptic_maps
from transforms.records import AnnotatedImage, PanopticMap, PanopticSegment

WIDTH, HEIGHT = 6, 4
IDS = ClassIds.from_labels({"cat": 1, "dog": 3, "sky": 100})
CAT, DOG, SKY = PanopticSegment(7, "cat"), PanopticSegment(70_000, "dog"), PanopticSegment(9, "sky", is_thing=False)


def png(pixels: Any, mode: str | None = None) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(np.asarray(pixels), mode).save(buffer, "PNG")
    return buffer.getvalue()


def coloured(values: Any) -> bytes:
    """Segment ids as R + 256 G + 65536 B."""
    values = np.asarray(values)
    return png(np.stack([values & 255, values >> 8 & 255, values >> 16], axis=-1).astype(np.uint8))


def pixels(maps: EncodedMaps, key: str) -> list[list[int]]:
    (data,) = maps.features[key][1]
    image = Image.open(io.BytesIO(data))  # type: ignore[arg-type]
    assert image.mode == "L"
    return np.asarray(image).tolist()  # type: ignore[no-any-return]


def encode(data: bytes | Refusal, orientation: int = 1, ids: ClassIds = IDS, **fields: Any) -> EncodedMaps:
    """The maps of an image whose map file has this content."""
    width, height = (HEIGHT, WIDTH) if orientation >= 5 else (WIDTH, HEIGHT)
    image = AnnotatedImage("a.jpg", width=WIDTH, height=HEIGHT, **fields)
    picture = CheckedImage(b"", "jpeg", width, height, orientation)
    return encode_maps(image, picture, geometry_of(image, picture)[0], {"a.png": data}, ids)


def encode_panoptic(values: Any, *segments: PanopticSegment, **more: Any) -> EncodedMaps:
    return encode(coloured(values), panoptic=PanopticMap("a.png", segments), **more)


VALUES = [[0, 7, 7, 9, 9, 9], [0, 7, 7, 9, 9, 9], [70_000] * 6, [9] * 6]


def test_panoptic() -> None:
    maps = encode_panoptic(VALUES, SKY, CAT, DOG)
    assert pixels(maps, keys.CATEGORY_MAP) == [*[[0, 1, 1, 100, 100, 100]] * 2, [3] * 6, [100] * 6]
    assert pixels(maps, keys.INSTANCE_MAP) == [*[[0, 1, 1, 0, 0, 0]] * 2, [2] * 6, [0] * 6]
    assert pixels(maps, keys.SEMANTIC_MAP) == [*[[255, 1, 1, 100, 100, 100]] * 2, [3] * 6, [100] * 6]
    assert maps.remarks == ()


def test_no_map_is_no_feature() -> None:
    assert encode(b"") == EncodedMaps({})


@given(st.lists(st.integers(0, 3), min_size=24, max_size=24))
def test_each_pixel_is_of_its_segment(numbers: list[int]) -> None:
    segments = [None, CAT, DOG, SKY]
    values = np.array([0 if s is None else s.segment_id for s in map(segments.__getitem__, numbers)]).reshape(4, 6)
    classes, instances, _ = panoptic_maps(values, PanopticMap("", (DOG, CAT, SKY)), IDS)
    assert classes.reshape(-1).tolist() == [[0, 1, 3, 100][number] for number in numbers]
    assert instances.reshape(-1).tolist() == [[0, 2, 1, 0][number] for number in numbers]


@pytest.mark.parametrize(
    ("segments", "remark"),
    [
        ((CAT, DOG), Reason.MAP_SEGMENTS_DIFFER),
        ((CAT, DOG, SKY, PanopticSegment(5, "cat")), Reason.MAP_SEGMENTS_DIFFER),
        ((CAT, DOG, SKY, CAT._replace(class_name="dog")), Reason.MAP_SEGMENTS_DIFFER),
        ((CAT, DOG, SKY._replace(class_name="sea")), Reason.IMAGE_LABEL_DROPPED),
    ],
    ids=["pixels of no segment", "segment without pixels", "segment twice", "class that is unknown"],
)
def test_segments_that_do_not_fit_their_pixels_are_told(segments: Any, remark: Reason) -> None:
    maps = encode_panoptic(VALUES, *segments)
    assert maps.remarks == (remark,)
    assert pixels(maps, keys.CATEGORY_MAP)[2] == [3] * 6


def test_255_things_and_no_more() -> None:
    things = [PanopticSegment(number, "cat") for number in range(1, 257)]
    values = np.arange(24).reshape(4, 6)
    assert pixels(encode_panoptic(values, *things[:255]), keys.INSTANCE_MAP) == values.tolist()
    stuff = PanopticSegment(999, "sky", is_thing=False)
    assert pixels(encode_panoptic(values, *things[:255], stuff), keys.INSTANCE_MAP) == values.tolist()
    with pytest.raises(ImageRefused, match="256 things") as refused:
        encode_panoptic(values, *things)
    assert refused.value.reason == Reason.MAP_TOO_MANY


@pytest.mark.parametrize(("class_id", "is_good"), [(254, True), (255, False), (70_000, False)])
def test_class_ids_must_fit_8_bits_beside_void(class_id: int, is_good: bool) -> None:
    ids = ClassIds.from_labels({"cat": class_id})
    if is_good:
        assert pixels(encode_panoptic(VALUES, CAT, ids=ids), keys.CATEGORY_MAP)[0][1] == class_id
        return
    with pytest.raises(ImageRefused, match="--class_ids=dense") as refused:
        encode_panoptic(VALUES, CAT, ids=ids)
    assert refused.value.reason == Reason.MAP_TOO_MANY


def test_semantic_maps_keep_their_values() -> None:
    values = np.arange(232, 256, dtype=np.uint8).reshape(4, 6)
    palette = Image.fromarray(values, "P")
    palette.putpalette([number for colour in range(256) for number in (colour, 7, 255 - colour)])
    buffer = io.BytesIO()
    palette.save(buffer, "PNG")
    for data in (buffer.getvalue(), png(values)):
        assert pixels(encode(data, semantic_map="a.png"), keys.SEMANTIC_MAP) == values.tolist()


@pytest.mark.parametrize("orientation", range(1, 9))
def test_maps_turn_with_their_picture(orientation: int) -> None:
    values = np.arange(24, dtype=np.uint8).reshape(4, 6)
    shape = (WIDTH, HEIGHT) if orientation >= 5 else (HEIGHT, WIDTH)
    frame = Geometry(WIDTH, HEIGHT, *shape[::-1], orientation if orientation >= 5 else 1)
    found = pixels(encode(png(values), orientation, semantic_map="a.png"), keys.SEMANTIC_MAP)
    assert found == frame.pixels(values).tolist()


BAD: dict[str, tuple[bytes | Refusal, Reason]] = {
    "missing": (Refusal(Reason.MASK_MISSING, "no file"), Reason.MAP_MISSING),
    "outside the root": (Refusal(Reason.PATH_OUTSIDE_ROOT, "no"), Reason.PATH_OUTSIDE_ROOT),
    "no bytes": (b"", Reason.MAP_UNREADABLE),
    "text": (b"404 not found", Reason.MAP_UNREADABLE),
    "cut": (coloured(VALUES)[:60], Reason.MAP_UNREADABLE),
    "of another size": (coloured(np.zeros((6, 4), int)), Reason.MAP_SIZE),
}


@pytest.mark.parametrize("case", BAD)
def test_image_whose_map_cannot_be_used_is_refused(case: str) -> None:
    data, reason = BAD[case]
    for fields in ({"panoptic": PanopticMap("a.png", (CAT,))}, {"semantic_map": "a.png"}):
        with pytest.raises(ImageRefused, match="--masks=none") as refused:
            encode(data, **fields)
        assert refused.value.reason == reason


def test_panoptic_without_a_file_name_is_refused() -> None:
    with pytest.raises(ImageRefused) as refused:
        encode(b"", panoptic=PanopticMap("", (CAT,)))
    assert refused.value.reason == Reason.MAP_MISSING


def test_semantic_map_of_colours_is_refused() -> None:
    with pytest.raises(ImageRefused, match="colours") as refused:
        encode(coloured(VALUES), semantic_map="a.png")
    assert refused.value.reason == Reason.MAP_UNREADABLE
