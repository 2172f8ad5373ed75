"""Boxes stay on what they were drawn on, however the picture is stored, turned, converted and resized."""

from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image

from tests.png_chunks import join_chunks, split_chunks
from tests.sample_data import ORIENTATION_TAG, encoded
from transforms.examples.check_boxes import check_objects
from transforms.examples.geometry import geometry_of
from transforms.images.check_image import ExifPolicy, Frame, ImagePolicy, check_image
from transforms.ledger.reasons import Reason
from transforms.records import AnnotatedImage, Box, ObjectAnnotation

# The picture as it is shown: white at the top left, where nothing else is, and black elsewhere.
SHOWN = (64, 48)
MARK = Box(4, 6, 24, 18)
ORIENTATIONS = range(1, 9)
# How the pixels that are shown are stored under each orientation.
STORED = {
    1: lambda pixels: pixels,
    2: lambda pixels: pixels[:, ::-1],
    3: lambda pixels: pixels[::-1, ::-1],
    4: lambda pixels: pixels[::-1],
    5: lambda pixels: pixels.T,
    6: lambda pixels: np.rot90(pixels),
    7: lambda pixels: np.rot90(pixels, 2).T,
    8: lambda pixels: np.rot90(pixels, -1),
}
XMP = b"<x:xmpmeta xmlns:x='adobe:ns:meta/'><rdf:Description tiff:Orientation=%b/></x:xmpmeta>"


def shown_pixels() -> np.ndarray:
    pixels = np.zeros(SHOWN[::-1], np.uint8)
    pixels[int(MARK.ymin) : int(MARK.ymax), int(MARK.xmin) : int(MARK.xmax)] = 255
    return pixels


def exif(orientation: int) -> Image.Exif:
    block = Image.Exif()
    block[ORIENTATION_TAG] = orientation
    return block


def turned(orientation: int, image_format: str = "JPEG") -> bytes:
    """A file that is shown as ``shown_pixels`` by programs that mind its orientation."""
    image = Image.fromarray(STORED[orientation](shown_pixels())).convert("RGB")
    quality = {"lossless": True} if image_format == "WEBP" else {"quality": 100} if image_format == "AVIF" else {}
    return encoded(image, image_format, exif=exif(orientation), **quality)


def box_of_white(pixels: np.ndarray) -> Box:
    rows, columns = np.nonzero(pixels > 127)
    return Box(columns.min(), rows.min(), columns.max() + 1, rows.max() + 1)


def annotation(orientation: int, frame: Frame, unit: str = "pixels") -> AnnotatedImage:
    """The mark's box, in the frame of the picture as it is shown or of its pixels as they are stored."""
    pixels = shown_pixels() if frame == "upright" else STORED[orientation](shown_pixels())
    height, width = pixels.shape
    box = box_of_white(pixels)
    if unit == "fractions":
        box = Box(box.xmin / width, box.ymin / height, box.xmax / width, box.ymax / height)
    return AnnotatedImage("a", "", width, height, unit, (ObjectAnnotation(box, "mark"),))  # type: ignore[arg-type]


def written(data: bytes, image: AnnotatedImage, policy: ImagePolicy) -> tuple[np.ndarray, Box, set[Reason]]:
    """The pixels that readers will see, the box in them, and what the ledger says."""
    picture = check_image(data, policy)
    geometry, reasons = geometry_of(image, picture, policy.frame)
    (checked,), problems = check_objects(image.objects, geometry)
    assert problems == []
    pixels = np.asarray(Image.open(io.BytesIO(picture.data)).convert("L"))  # decoded as stored, as TensorFlow does
    assert pixels.shape == (picture.height, picture.width)
    return pixels, checked.box, {*picture.repairs, *reasons}


@pytest.mark.parametrize("unit", ["pixels", "fractions"])
@pytest.mark.parametrize("frame", ["upright", "stored"])
@pytest.mark.parametrize("orientation", ORIENTATIONS)
def test_the_box_covers_the_mark(orientation: int, frame: Frame, unit: str) -> None:
    pixels, box, said = written(turned(orientation), annotation(orientation, frame, unit), ImagePolicy(frame=frame))
    assert (pixels > 127).tolist() == (shown_pixels() > 127).tolist()
    assert box == pytest.approx(MARK)
    assert (Reason.EXIF_TRANSPOSED in said) == (orientation != 1)
    assert (Reason.EXIF_AMBIGUOUS in said) == (orientation in (2, 3, 4))
    assert (Reason.SIZE_MISMATCH in said) == (frame == "stored" and orientation >= 5)


@pytest.mark.parametrize("frame", ["upright", "stored"])
@pytest.mark.parametrize("orientation", [5, 6, 7, 8])
def test_the_size_tells_the_frame_whatever_the_default(orientation: int, frame: Frame) -> None:
    other: Frame = "stored" if frame == "upright" else "upright"
    _, box, _ = written(turned(orientation), annotation(orientation, frame), ImagePolicy(frame=other))
    assert box == MARK


@pytest.mark.parametrize("image_format", ["PNG", "WEBP", "TIFF", "AVIF"])
@pytest.mark.parametrize("orientation", ORIENTATIONS)
def test_other_formats_turn_alike(orientation: int, image_format: str) -> None:
    pixels, box, said = written(
        turned(orientation, image_format), annotation(orientation, "stored"), ImagePolicy(frame="stored")
    )
    assert box_of_white(pixels) == box == MARK
    assert (Reason.FORMAT_CONVERTED in said) == (image_format != "PNG")


@pytest.mark.parametrize("image_format", ["JPEG", "PNG", "WEBP", "TIFF", "AVIF"])
@pytest.mark.parametrize("orientation", ORIENTATIONS)
def test_orientation_can_be_ignored(orientation: int, image_format: str) -> None:
    """Pillow itself turns a TIFF when it loads it."""
    policy = ImagePolicy(exif="ignore")
    pixels, box, said = written(turned(orientation, image_format), annotation(orientation, "stored"), policy)
    assert (pixels > 127).tolist() == (STORED[orientation](shown_pixels()) > 127).tolist()
    assert box_of_white(pixels) == box
    assert not said & {Reason.EXIF_TRANSPOSED, Reason.EXIF_AMBIGUOUS, Reason.SIZE_MISMATCH}


def png_with_xmp(image: Image.Image, packet: bytes, place: int) -> bytes:
    chunks = split_chunks(encoded(image, "PNG"))
    body = b"XML:com.adobe.xmp\0\0\0\0\0" + packet
    return join_chunks([*chunks[:place], (b"iTXt", body), *chunks[place:]])


@pytest.mark.parametrize("orientation", ORIENTATIONS)
@pytest.mark.parametrize("quote", [b'"%d"', b"'%d'"], ids=["double", "single"])
@pytest.mark.parametrize("kind", ["JPEG", "WEBP", "PNG", "PNG behind the pixels"])
def test_xmp_says_it_too(kind: str, quote: bytes, orientation: int) -> None:
    image = Image.fromarray(STORED[orientation](shown_pixels())).convert("RGB")
    packet = XMP % (quote % orientation)
    if kind.startswith("PNG"):
        data = png_with_xmp(image, packet, 1 if kind == "PNG" else -1)
    else:
        data = encoded(image, kind, xmp=packet, **({"lossless": True} if kind == "WEBP" else {}))
    pixels, box, _ = written(data, annotation(orientation, "stored"), ImagePolicy(frame="stored"))
    assert box_of_white(pixels) == box == MARK
    again = check_image(check_image(data, ImagePolicy()).data, ImagePolicy())
    assert (again.orientation, again.repairs) == (1, ())


def test_exif_counts_before_xmp() -> None:
    image = Image.fromarray(STORED[6](shown_pixels())).convert("RGB")
    data = encoded(image, "JPEG", exif=exif(6), xmp=XMP % b'"3"')
    assert check_image(data, ImagePolicy()).orientation == 6


@pytest.mark.parametrize("packet", [XMP % b'"9"', XMP % b'"0"', b"tiff:Orientation", XMP % b'"six"'])
def test_xmp_that_says_nothing(packet: bytes) -> None:
    data = encoded(Image.fromarray(shown_pixels()), "JPEG", xmp=packet)
    assert check_image(data, ImagePolicy()).data is data


@pytest.mark.parametrize("exif_policy", ["transpose", "ignore"])
@pytest.mark.parametrize("image_format", ["JPEG", "PNG", "TIFF"])
@pytest.mark.parametrize("orientation", [1, 6, 7])
def test_boxes_shrink_with_the_picture(orientation: int, image_format: str, exif_policy: ExifPolicy) -> None:
    policy = ImagePolicy(exif=exif_policy, max_side=32, frame="stored")
    image = annotation(orientation, "stored")
    pixels, box, said = written(turned(orientation, image_format), image, policy)
    assert max(pixels.shape) == 32
    assert Reason.RESIZED in said
    assert box_of_white(pixels) == box
    assert box.area == MARK.area / 4


@pytest.mark.parametrize("max_side", [64, 65, None])
def test_pictures_that_fit_keep_their_bytes(max_side: int | None) -> None:
    data = turned(1)
    for depth in ("full", "header"):
        assert check_image(data, ImagePolicy(depth, max_side=max_side)).data is data


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGBA", "CMYK", "I;16"])
@pytest.mark.parametrize("size", [(10, 2000), (3000, 7)])
def test_any_mode_and_shape_can_be_resized(mode: str, size: tuple[int, int]) -> None:
    image = Image.new("L", size, 200).convert(mode)
    checked = check_image(encoded(image, "TIFF"), ImagePolicy(max_side=100))
    assert max(checked.width, checked.height) == 100
    assert min(checked.width, checked.height) >= 1
    assert Image.open(io.BytesIO(checked.data)).size == (checked.width, checked.height)


def test_stored_frame_of_a_square_is_as_the_user_says() -> None:
    pixels = np.zeros((40, 40), np.uint8)
    pixels[2:9, 3:20] = 255
    data = encoded(Image.fromarray(np.rot90(pixels)).convert("RGB"), "PNG", exif=exif(6))
    image = AnnotatedImage("a", "", 40, 40, objects=(ObjectAnnotation(box_of_white(np.rot90(pixels)), "mark"),))
    _, box, said = written(data, image, ImagePolicy(frame="stored"))
    assert box == Box(3, 2, 20, 9)
    assert Reason.EXIF_AMBIGUOUS in said
