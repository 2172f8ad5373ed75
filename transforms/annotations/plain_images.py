"""Images of COCO with an id, a name, a size and nothing unusual, column by column: most are so."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import repeat
from typing import Any

from transforms.annotations.coco_images import IMAGE, Entry

_MAX_SIDE = 1 << 53  # up to here a float, which sizes are read as, holds every whole number
_KEYS = ("id", "file_name", "width", "height")


def plain_images(
    elements: Sequence[Any], is_plain: Callable[[Iterable[str]], bool]
) -> Iterator[tuple[str, Entry]] | None:
    """Ids and entries of images; None where any must be read with care.

    Args:
      elements: decoded JSON, of any kind.
      is_plain: whether an image of these keys has no others that must be read.
    """
    if set(map(type, elements)) != {dict}:
        return None
    if not all(is_plain(keys) and set(keys).issuperset(_KEYS) for keys in set(map(tuple, elements))):
        return None
    ids, names, *sides = ([element[key] for element in elements] for key in _KEYS)
    if set(map(type, ids)) != {int} or set(map(type, names)) != {str} or not all(map(str.strip, names)):
        return None
    if not all(set(map(type, side)) == {int} and min(side) > 0 and max(side) <= _MAX_SIDE for side in sides):
        return None
    return zip(map(str, ids), zip(repeat(IMAGE), names, *sides, repeat(())))  # noqa: B905 - repeated without end
