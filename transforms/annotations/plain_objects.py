"""Keeps columns of COCO's plain objects and gives them back image by image; memory does not grow with their number."""

from __future__ import annotations

import mmap
import tempfile
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from transforms.annotations.object_columns import DTYPE, ObjectColumns, Rows
from transforms.annotations.spilled_numbers import Floats, Integers, SpilledNumbers, ranges

# So many (6 MB) go to a file together.
MOST_IN_MEMORY = 1 << 16
_ROWS_AT_ONCE = 1 << 14
# That are given back at once: of polygons, and so many for an object itself.
MAX_NUMBERS = 1 << 20
_NUMBERS_OF_OBJECT = 20
NO_ID = -1  # no plain object is of it
NO_ROWS: Rows = np.empty(0, DTYPE)


class _Run(NamedTuple):
    """Objects sorted by image, those of one in the order of the file; and their images alone, to be searched."""

    images: npt.NDArray[np.int64]
    rows: Rows


class PlainObjects:
    """Collects plain objects: take all, then ask."""

    def __init__(self, most_in_memory: int = MOST_IN_MEMORY) -> None:
        self._most_in_memory = most_in_memory
        self._pending: Rows = NO_ROWS  # the first of them are taken
        self._taken = 0
        self._runs: list[_Run] = []
        self._mappings: list[mmap.mmap] = []
        self._asked: list[npt.NDArray[np.int64]] = []
        self._outlines = SpilledNumbers()

    def take(self, first: int, columns: ObjectColumns) -> npt.NDArray[np.int64]:
        """Takes what is plain.

        Args:
          first: place of the first of the objects in the file's list.
          columns: of objects.

        Returns:
          The ids of the objects taken.
        """
        taken = columns.rows[columns.is_plain]
        taken["index"] += first
        taken["place"] += self._outlines.append(columns.outlines)
        if self._taken + len(taken) > len(self._pending):
            self._end_run()
            if len(taken) > len(self._pending):
                self._pending = np.empty(max(self._most_in_memory, len(taken)), DTYPE)
        self._pending[self._taken : self._taken + len(taken)] = taken
        self._taken += len(taken)
        return taken["id"]

    def _end_run(self) -> None:
        if not self._taken:
            return
        rows, self._taken = self._pending[: self._taken], 0
        images = np.ascontiguousarray(rows["image"])
        order = np.argsort(images, kind="stable")
        with tempfile.TemporaryFile(prefix="boxmill-") as file:  # the mapping outlives the name
            images[order].tofile(file)
            for start in range(0, len(order), _ROWS_AT_ONCE):
                rows[order[start : start + _ROWS_AT_ONCE]].tofile(file)
            file.flush()
            mapping = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        self._mappings.append(mapping)
        self._runs.append(
            _Run(np.frombuffer(mapping, np.int64, len(rows)), np.frombuffer(mapping, DTYPE, offset=images.nbytes))
        )

    def of_images(self, image_ids: Sequence[int]) -> tuple[Rows, list[int]]:
        """The objects of some images, image by image and in the order of the file, and how many each image has.

        Call it when all objects are taken, and once for each image.
        """
        self._end_run()
        self._pending = NO_ROWS
        wanted = np.array(image_ids, dtype=np.int64)
        self._asked.append(wanted)
        found = [NO_ROWS]
        images = [np.empty(0, np.intp)]
        for mapping, run in zip(self._mappings, self._runs, strict=True):
            starts, ends = (np.searchsorted(run.images, wanted, side) for side in ("left", "right"))
            found.append(run.rows[ranges(starts, ends - starts)])
            images.append(np.repeat(np.arange(len(wanted)), ends - starts))
            _forget_pages(mapping)
        image = np.concatenate(images)
        rows = np.concatenate(found)[np.argsort(image, kind="stable")]
        return rows, np.bincount(image, minlength=len(wanted)).tolist()

    def of_images_in_parts(
        self, image_ids: Sequence[int]
    ) -> Iterator[tuple[slice, list[int], Rows, tuple[Integers, Floats]]]:
        """As ``of_images``, so many images in a row at a time that their objects take bounded memory.

        Yields:
          Which images these are, how many objects each has, these objects, and their ``polygons``.
        """
        rows, counts = self.of_images(image_ids)
        ends = np.cumsum(counts)
        sizes = np.concatenate([[0], np.cumsum(rows["numbers"] + np.int64(_NUMBERS_OF_OBJECT))])[ends]
        image = place = 0
        while image < len(counts):
            begun = sizes[image - 1] if image else 0
            stop = max(image + 1, int(np.searchsorted(sizes, begun + MAX_NUMBERS, "right")))
            part = rows[place : ends[stop - 1]]
            yield slice(image, stop), counts[image:stop], part, self.polygons(part)
            image, place = stop, ends[stop - 1]

    def polygons(self, rows: Rows) -> tuple[Integers, Floats]:
        """Lengths of all rings of these objects, and the numbers of the rings."""
        rings, numbers = rows["rings"].astype(np.int64), rows["numbers"].astype(np.int64)
        sizes = rings + numbers
        outlines = self._outlines.take(rows["place"], sizes)
        is_length = np.zeros(len(outlines), np.bool_)
        is_length[ranges(np.cumsum(sizes) - sizes, rings)] = True
        return outlines[is_length].astype(np.int64), outlines[~is_length]

    def images_not_asked_for(self) -> list[int]:
        """The images of objects that ``of_images`` has not given back."""
        self._end_run()
        asked = np.sort(np.concatenate([[NO_ID], *self._asked]))
        others: set[int] = set()
        for mapping, run in zip(self._mappings, self._runs, strict=True):
            is_other = asked[np.searchsorted(asked, run.images, "right") - 1] != run.images
            others.update(run.images[is_other].tolist())
            _forget_pages(mapping)
        return sorted(others)


def _forget_pages(mapping: mmap.mmap) -> None:
    """Till then, pages that were read count as this process's memory."""
    mapping.madvise(mmap.MADV_DONTNEED)
