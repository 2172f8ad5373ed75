"""The COCO file of a split of the dataset before, cut into the lines of its shards again."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from itertools import islice
from typing import BinaryIO

from transforms import storage

_decoder = json.JSONDecoder()


class EarlierGroundTruth:
    """The COCO file of a split, as ``join_parts`` has written it: an image or an annotation a line, in order.

    Args:
      path: of the file.
      images, boxes: how many each shard has, by its number.
      damage: makes the error of a file that is not so.
    """

    def __init__(self, path: str, images: Sequence[int], boxes: Sequence[int], damage: Callable[[object], Exception]):
        self._path, self._images, self._boxes, self._damage = path, images, boxes, damage
        try:
            with storage.open_file(path) as file:
                file.readline()  # opens the array of images; that of annotations is opened behind the last image
                self._image_starts = [_pass_lines(file, count) for count in images]
                self._box_starts = [_pass_lines(file, count) for count in boxes]
        except OSError as error:
            raise damage(error.strerror or error) from None

    def parts(self, shard: int, boxes: Sequence[int]) -> list[list[str]]:
        """The lines of each record of a shard, as ``GroundTruthPart`` had them.

        Args:
          shard: its number.
          boxes: of each of its records.
        """
        try:
            with storage.open_file(self._path) as file:
                images = _items(file, self._image_starts[shard], self._images[shard])
                annotations = iter(_items(file, self._box_starts[shard], self._boxes[shard]))
            # Annotations are numbered anew: their first member is left out.
            return [
                ["I" + image[1:-1], *("A" + item.partition(", ")[2][:-1] for item in islice(annotations, count))]
                for image, count in zip(images, boxes, strict=True)
            ]
        except (OSError, ValueError) as error:
            raise self._damage(error) from None


def _pass_lines(file: BinaryIO, count: int) -> int:
    """Goes on by so many lines; returns where the first begins."""
    start = file.tell()
    for _ in islice(file, count):
        pass
    return start


def _items(file: BinaryIO, start: int, count: int) -> list[str]:
    """So many JSON objects, one a line, without what stands behind each.

    Raises:
      ValueError: a line has none.
    """
    file.seek(start)
    lines = [line.decode() for line in islice(file, count)]
    return [line[: _decoder.raw_decode(line)[1]] for line in lines]
