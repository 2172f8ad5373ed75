"""The masks of a record: as many PNGs as objects, of the picture's size, of zeros and ones."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from transforms.examples import feature_keys as keys
from transforms.masks.written_masks import broken_mask
from transforms.verification.findings import Code, Problem


def check_masks(values: Mapping[str, Sequence[object]]) -> Iterator[Problem]:
    """Checks the masks of a record, each different one once: that without a pixel is shared by many objects."""
    masks: Sequence[bytes] = values.get(keys.MASK, ())  # type: ignore[assignment]
    if not masks:
        return
    width, height = values[keys.WIDTH][0], values[keys.HEIGHT][0]
    assert isinstance(width, int)
    assert isinstance(height, int)
    faults = {data: broken_mask(data, width, height) for data in set(masks)}
    for index, data in enumerate(masks):
        if faults[data]:
            yield Code.MASK_INVALID, f"{keys.MASK} of object {index}: {faults[data]}"
            return
