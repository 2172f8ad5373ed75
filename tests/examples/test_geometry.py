from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image, ImageOps

from tests.sample_data import ORIENTATION_TAG
from transforms.examples.geometry import Geometry, geometry_of
from transforms.images.check_image import CheckedImage
from transforms.images.image_store import ImageRefused
from transforms.ledger.reasons import Reason
from transforms.records import AnnotatedImage, Box, ObjectAnnotation

WIDTH, HEIGHT = 40, 30
ORIENTATIONS = range(1, 9)
orientations = st.integers(1, 8)


def turning(orientation: int, scale: int = 1) -> Geometry:
    """The geometry of a picture of 40x30 stored pixels that is turned upright and then enlarged."""
    width, height = (HEIGHT, WIDTH) if orientation >= 5 else (WIDTH, HEIGHT)
    return Geometry(WIDTH, HEIGHT, scale * width, scale * height, orientation)


def turned_by_pillow(pixels: np.ndarray[Any, Any], orientation: int) -> np.ndarray[Any, Any]:
    image = Image.fromarray(pixels)
    image.getexif()[ORIENTATION_TAG] = orientation
    return np.asarray(ImageOps.exif_transpose(image))


def marked(box: Box) -> np.ndarray[Any, Any]:
    pixels = np.zeros((HEIGHT, WIDTH), np.uint8)
    pixels[int(box.ymin) : int(box.ymax), int(box.xmin) : int(box.xmax)] = 255
    return pixels


@pytest.mark.parametrize("orientation", ORIENTATIONS)
def test_boxes_points_and_pixels_turn_as_pillow_turns(orientation: int) -> None:
    box, geometry = Box(3, 5, 13, 22), turning(orientation)
    upright = turned_by_pillow(marked(box), orientation)
    np.testing.assert_array_equal(geometry.pixels(marked(box)), upright)
    rows, columns = np.nonzero(upright)
    assert geometry.box(box) == Box(columns.min(), rows.min(), columns.max() + 1, rows.max() + 1)
    middle_of_first_pixel = geometry.point(3.5, 5.5)
    assert geometry.pixels(np.arange(WIDTH * HEIGHT).reshape(HEIGHT, WIDTH))[
        int(middle_of_first_pixel[1]), int(middle_of_first_pixel[0])
    ] == (5 * WIDTH + 3)
    np.testing.assert_array_equal(geometry.points(np.array([[3.5, 5.5]])), [middle_of_first_pixel])


@given(orientations, st.integers(1, 3), st.integers(0, WIDTH), st.integers(0, HEIGHT))
def test_boxes_stay_in_the_picture(orientation: int, scale: int, x: int, y: int) -> None:
    geometry = turning(orientation, scale)
    box = geometry.box(Box(0, 0, x, y))
    assert 0 <= box.xmin <= box.xmax <= geometry.written_width
    assert 0 <= box.ymin <= box.ymax <= geometry.written_height
    assert box.area == x * y * scale**2


@given(st.integers(1, 70_000), st.integers(1, 70_000), st.integers(1, 9000), st.integers(1, 9000), orientations)
def test_the_border_stays_the_border(width: int, height: int, new_width: int, new_height: int, turn: int) -> None:
    geometry = Geometry(width, height, new_width, new_height, turn)
    assert geometry.box(Box(0, 0, width, height)) == Box(0, 0, new_width, new_height)


def test_edges_in_the_wrong_order_stay_so() -> None:
    for orientation in ORIENTATIONS:
        box = turning(orientation).box(Box(13, 22, 3, 5))
        assert box.xmin > box.xmax
        assert box.ymin > box.ymax


def test_pixels_are_resized_to_the_nearest() -> None:
    pixels = np.arange(12, dtype=np.uint8).reshape(3, 4)
    enlarged = Geometry(4, 3, 8, 6).pixels(pixels)
    np.testing.assert_array_equal(enlarged, np.kron(pixels, np.ones((2, 2), np.uint8)))
    np.testing.assert_array_equal(Geometry(8, 6, 4, 3).pixels(enlarged), pixels)


def test_fractions_become_pixels() -> None:
    geometry = Geometry(1, 1, 40, 30)
    assert not geometry.is_identity
    assert geometry.box(Box(0.1, 0.5, 0.25, 1)) == Box(4, 15, 10, 30)


def annotated(**values: Any) -> AnnotatedImage:
    return AnnotatedImage("a.jpg", objects=(ObjectAnnotation(Box(1, 2, 3, 4), "cat"),), **values)


def picture(width: int, height: int, orientation: int = 1, **values: Any) -> CheckedImage:
    return CheckedImage(b"", "jpeg", width, height, orientation, **values)


AMBIGUOUS, TURNED = (Reason.EXIF_AMBIGUOUS,), (Reason.SIZE_MISMATCH,)


@pytest.mark.parametrize(
    ("image", "checked", "geometry", "reasons"),
    [
        pytest.param(annotated(), picture(40, 30), Geometry(40, 30, 40, 30), (), id="no size claimed"),
        pytest.param(annotated(width=40, height=30), picture(40, 30), Geometry(40, 30, 40, 30), (), id="upright"),
        pytest.param(annotated(unit="fractions"), picture(40, 30), Geometry(1, 1, 40, 30), (), id="fractions"),
        pytest.param(
            annotated(width=30, height=40), picture(30, 40, 6), Geometry(30, 40, 30, 40), (), id="drawn upright"
        ),
        pytest.param(
            annotated(width=40, height=30),
            picture(30, 40, 6),
            Geometry(40, 30, 30, 40, 6),
            TURNED,
            id="drawn as stored",
        ),
        pytest.param(
            annotated(width=40, height=30, unit="fractions"),
            picture(30, 40, 6),
            Geometry(1, 1, 30, 40, 6),
            TURNED,
            id="fractions drawn as stored",
        ),
        pytest.param(
            annotated(width=640, height=480, unit="fractions"),
            picture(30, 40, 6),
            Geometry(1, 1, 30, 40),
            AMBIGUOUS,
            id="fractions of another size",
        ),
        pytest.param(annotated(), picture(30, 40, 6), Geometry(30, 40, 30, 40), AMBIGUOUS, id="turned, no size"),
        pytest.param(
            annotated(width=40, height=30), picture(40, 30, 3), Geometry(40, 30, 40, 30), AMBIGUOUS, id="half turn"
        ),
        pytest.param(
            annotated(width=30, height=30), picture(30, 30, 6), Geometry(30, 30, 30, 30), AMBIGUOUS, id="square"
        ),
        pytest.param(
            annotated(width=400, height=300),
            picture(40, 30, resized_from=(400, 300)),
            Geometry(400, 300, 40, 30, area_scale=0.01),
            (),
            id="resized",
        ),
        pytest.param(
            annotated(width=400, height=300),
            picture(30, 40, 8, resized_from=(300, 400)),
            Geometry(400, 300, 30, 40, 8, area_scale=0.01),
            TURNED,
            id="drawn as stored, turned and resized",
        ),
    ],
)
def test_claimed_size_tells_the_plane(
    image: AnnotatedImage, checked: CheckedImage, geometry: Geometry, reasons: tuple[Reason, ...]
) -> None:
    assert geometry_of(image, checked) == (geometry, reasons)


def test_a_negative_is_never_ambiguous() -> None:
    assert geometry_of(AnnotatedImage("a.jpg"), picture(30, 30, 6))[1] == ()


@pytest.mark.parametrize("claimed", [(30, 40), (40, 31), (80, 60)])
def test_a_picture_of_another_size_is_refused(claimed: tuple[int, int]) -> None:
    with pytest.raises(ImageRefused) as refused:
        geometry_of(annotated(width=claimed[0], height=claimed[1]), picture(40, 30))
    assert refused.value.reason == Reason.SIZE_MISMATCH
