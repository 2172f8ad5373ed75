from __future__ import annotations

import io
import sys
from collections.abc import Iterator

import numpy as np
import pytest
from PIL import Image

from tests.sample_data import encoded, picture
from transforms.images import heif_images
from transforms.images.check_image import ImagePolicy, check_image
from transforms.images.heif_images import is_heif
from transforms.images.image_store import ImageRefused
from transforms.ledger.reasons import Reason


@pytest.fixture
def heic() -> bytes:
    pillow_heif = pytest.importorskip("pillow_heif", reason="needs the optional package pillow-heif")
    buffer = io.BytesIO()
    pillow_heif.from_pillow(picture()).save(buffer, quality=-1)
    return buffer.getvalue()


@pytest.fixture
def _no_package(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setitem(sys.modules, "pillow_heif", None)
    heif_images._register.cache_clear()
    yield
    heif_images._register.cache_clear()


def test_heic_becomes_png(heic: bytes) -> None:
    checked = check_image(heic, ImagePolicy())
    assert (checked.format, checked.width, checked.height) == ("png", 40, 30)
    assert checked.repairs == (Reason.FORMAT_CONVERTED,)
    pixels = np.asarray(Image.open(io.BytesIO(checked.data)).convert("L")).astype(int)
    assert np.abs(pixels - np.asarray(picture(mode="L"))).mean() < 3


def test_limit_of_pixels_holds(heic: bytes) -> None:
    with pytest.raises(ImageRefused) as refused:
        check_image(heic, ImagePolicy(max_pixels=40 * 30 - 1))
    assert refused.value.reason == Reason.IMAGE_TOO_LARGE


@pytest.mark.parametrize("share", [0.2, 0.5, 0.9])
def test_cut_heic_is_refused(heic: bytes, share: float) -> None:
    with pytest.raises(ImageRefused) as refused:
        check_image(heic[: int(len(heic) * share)], ImagePolicy())
    assert refused.value.reason == Reason.IMAGE_UNREADABLE


@pytest.mark.usefixtures("_no_package")
def test_without_the_package_the_reason_says_what_to_install() -> None:
    with pytest.raises(ImageRefused) as refused:
        check_image(b"\0\0\0\x18ftypheic\0\0\0\0mif1heic", ImagePolicy())
    assert refused.value.reason == Reason.FORMAT_UNSUPPORTED
    assert "pip install 'boxmill[heic]'" in refused.value.detail


@pytest.mark.parametrize(
    ("head", "is_it"),
    [
        (b"\0\0\0\x18ftypheic\0\0\0\0mif1heic", True),
        (b"\0\0\0\x18ftypmif1\0\0\0\0mif1heic", True),
        (b"\0\0\0\x18ftypmif1\0\0\0\0mif1avif", False),
        (b"\0\0\0\x18ftypmp42\0\0\0\0isomheic", False),
        (b"\xff\xff\xff\xffftypmif1\0\0\0\0", False),
        (b"ftypheic", False),
        (b"", False),
    ],
)
def test_brands(head: bytes, is_it: bool) -> None:
    assert is_heif(head) == is_it


def test_avif_needs_no_package() -> None:
    checked = check_image(encoded(picture(), "AVIF", quality=95), ImagePolicy())
    assert (checked.format, checked.repairs) == ("png", (Reason.FORMAT_CONVERTED,))
