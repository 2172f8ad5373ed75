from __future__ import annotations

import numpy as np
import pytest

from tests.masks.outlines import coco_bitmap, coco_rle, random_ring
from transforms.ledger.reasons import Reason
from transforms.masks.mask_png import bitmap_of_columns, columns_of_bitmap
from transforms.masks.mask_refused import MaskRefused
from transforms.masks.run_lengths import changes_of_rle, rle_of_changes
from transforms.records import Rle


@pytest.mark.parametrize("count", [300, pytest.param(10_000, marks=pytest.mark.slow)])
def test_pixels_are_pycocotools(count: int) -> None:
    """Outlines, and noise, whose counts are small and fall as often as they rise."""
    coco_mask = pytest.importorskip("pycocotools.mask")
    random = np.random.default_rng(count)
    for number in range(count):
        width, height = (int(side) for side in random.integers(1, 300, 2))
        if number % 2:
            rle = coco_rle([random_ring(random, width, height)], width, height)
        else:
            bitmap = random.random((height, width)) < random.random()
            rle = coco_mask.encode(np.asfortranarray(bitmap.astype(np.uint8)))
        expected = coco_bitmap(rle)
        compressed = Rle(height, width, rle["counts"].decode())
        changes = changes_of_rle(compressed, width, height)
        np.testing.assert_array_equal(bitmap_of_columns(changes, width, height), expected)
        assert rle_of_changes(changes, width, height) == compressed
        assert rle_of_changes(columns_of_bitmap(expected), width, height) == compressed
        runs = np.diff(np.flatnonzero(np.diff(expected.T.reshape(-1), prepend=0, append=2)), prepend=0)
        plain = Rle(height, width, tuple(runs.tolist()))
        np.testing.assert_array_equal(bitmap_of_columns(changes_of_rle(plain, width, height), width, height), expected)


@pytest.mark.parametrize(
    ("counts", "pixels"),
    [((12,), ""), ((0, 12), "111111111111"), ((3, 2, 7), "000110000000"), ((3, 0, 2, 0, 0, 7), "000001111111")],
)
def test_plain_counts(counts: tuple[int, ...], pixels: str) -> None:
    bitmap = bitmap_of_columns(changes_of_rle(Rle(3, 4, counts), 4, 3), 4, 3)
    assert "".join(map(str, bitmap.T.reshape(-1))) == pixels.ljust(12, "0")


@pytest.mark.parametrize(("changes", "counts"), [([], (12,)), ([0, 12], (0, 12)), ([3, 5, 5, 9, 7, 7], (3, 6, 3))])
def test_compressed_counts(changes: list[int], counts: tuple[int, ...]) -> None:
    rle = rle_of_changes(np.array(changes, np.int64), 4, 3)
    assert isinstance(rle.counts, str)
    np.testing.assert_array_equal(changes_of_rle(rle, 4, 3), changes_of_rle(Rle(3, 4, counts), 4, 3))


INVALID = {
    "another size": (Rle(4, 3, (12,)), "its size is 3x4"),
    "a bomb of a size": (Rle(100_000, 100_000, (10**10,)), "its size is 100000x100000"),
    "no counts": (Rle(3, 4, ()), "add up to 0"),
    "no text": (Rle(3, 4, ""), "add up to 0"),
    "short": (Rle(3, 4, (3, 2)), "add up to 5"),
    "long": (Rle(3, 4, (3, 10)), "add up to 13"),
    "negative": (Rle(3, 4, (3, -1, 10)), "from -1 to 10"),
    "beyond the picture": (Rle(3, 4, (2**62, 2**62)), "for 12 pixels"),
    "beyond 64 bits": (Rle(3, 4, (2**64, 12)), "not whole numbers"),
    "half pixels": (Rle(3, 4, (1.5, 10.5)), "not whole numbers"),  # type: ignore[arg-type]
    "flags": (Rle(3, 4, (True, False)), "not whole numbers"),
    "a character below": (Rle(3, 4, "3/"), "a character"),
    "a character above": (Rle(3, 4, "3p"), "a character"),
    "a character of another script": (Rle(3, 4, "3개"), "a character"),
    "cut within a number": (Rle(3, 4, "3`"), "end within"),
    "a number without end": (Rle(3, 4, "`" * 20 + "0"), "21 characters"),
    "compressed and short": (Rle(3, 4, "32"), "add up to 5"),
    "compressed and negative": (Rle(3, 4, "3N"), "from -2 to 3"),
}


@pytest.mark.parametrize(("rle", "detail"), INVALID.values(), ids=INVALID)
def test_invalid(rle: Rle, detail: str) -> None:
    with pytest.raises(MaskRefused, match=detail) as refused:
        changes_of_rle(rle, 4, 3)
    assert refused.value.reason == Reason.RLE_INVALID
