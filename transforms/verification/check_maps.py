"""The maps of a record: PNGs of 8 bits and one channel, of the picture's size, whose values the label map knows."""

from __future__ import annotations

import io
from collections.abc import Iterator, Mapping, Sequence

import numpy as np
import numpy.typing as npt
from PIL import Image

from transforms.examples import feature_keys as keys
from transforms.examples.class_ids import ClassIds
from transforms.masks.maps import VOID_CLASS, VOID_INSTANCE
from transforms.verification.findings import Code, Problem

_MAPS = (keys.CATEGORY_MAP, keys.INSTANCE_MAP, keys.SEMANTIC_MAP)


def missing_maps(found: Mapping[str, object]) -> Iterator[Problem]:
    """The readers of panoptic maps want all three; a semantic map may stand alone."""
    if keys.CATEGORY_MAP in found or keys.INSTANCE_MAP in found:
        for key in _MAPS:
            if key not in found:
                yield Code.KEY_MISSING, f"it has no {key}, though it has other panoptic maps"


def check_maps(values: Mapping[str, Sequence[object]], class_ids: ClassIds) -> Iterator[Problem]:
    """Decodes the maps that a record has."""
    size = (values[keys.WIDTH][0], values[keys.HEIGHT][0])
    maps: dict[str, npt.NDArray[np.uint8]] = {}
    for key in _MAPS:
        for data in values.get(key, ()):
            assert isinstance(data, bytes)
            try:
                image = Image.open(io.BytesIO(data), formats=("PNG",))
                if (image.mode, image.size) != ("L", size):
                    yield Code.MAP_INVALID, f"{key} is {image.mode} of {image.size}, not L of {size}"
                    continue
                maps[key] = np.asarray(image)
            except Exception as error:  # decoders meet damaged files with every kind of exception
                yield Code.MAP_INVALID, f"{key} cannot be decoded: {type(error).__name__}: {error}"
    classes, instances = maps.get(keys.CATEGORY_MAP), maps.get(keys.INSTANCE_MAP)
    if classes is None:
        return
    unknown = set(np.flatnonzero(np.bincount(classes.reshape(-1))).tolist()) - {VOID_CLASS, *class_ids.labels.values()}
    if unknown:
        yield Code.LABEL_UNKNOWN, f"{keys.CATEGORY_MAP} holds {min(unknown)}, which no class of the label map has"
    if instances is not None and ((instances != VOID_INSTANCE) & (classes == VOID_CLASS)).any():
        yield Code.MAP_INVALID, f"{keys.INSTANCE_MAP} has instances where {keys.CATEGORY_MAP} is void"
