"""Damaged images: whatever the check accepts, TensorFlow decodes, to the size that the check says."""

from __future__ import annotations

import time
from collections import Counter

import pytest

from tests.image_mutants import mutants, originals
from transforms.images.check_image import CheckedImage, ImagePolicy, check_image
from transforms.images.image_store import ImageRefused

SEED = 20_240
MAX_SECONDS = 5


def fails_in_tensorflow(image: CheckedImage) -> str:
    import tensorflow as tf

    try:
        pixels = tf.io.decode_image(image.data, channels=3, expand_animations=False)
    except tf.errors.InvalidArgumentError as error:
        return str(error)
    return "" if tuple(pixels.shape[:2]) == (image.height, image.width) else f"{pixels.shape} is another size"


def check_mutants(count: int, seed: int) -> Counter[str]:
    """Checks mutants and counts what became of them."""
    fates: Counter[str] = Counter()
    for number, data in enumerate(mutants(count, seed)):
        start = time.process_time()
        try:
            image = check_image(data, ImagePolicy())
        except ImageRefused as refused:
            fates[refused.reason] += 1
        else:
            assert not fails_in_tensorflow(image), f"mutant {number} of seed {seed}"
            fates["accepted"] += 1
        assert time.process_time() - start < MAX_SECONDS, f"mutant {number} of seed {seed}"
    return fates


def test_the_originals_are_accepted() -> None:
    for images in originals():
        for data in images:
            assert check_image(data, ImagePolicy()).data == data


def test_mutants_that_are_accepted_decode() -> None:
    fates = check_mutants(2000, SEED)
    assert fates.total() == 2000
    assert fates["accepted"] > 400
    assert fates["image_unreadable"] > 400


@pytest.mark.slow
def test_ten_thousand_mutants_that_are_accepted_decode() -> None:
    assert check_mutants(10_000, SEED + 1)["accepted"] > 2000
