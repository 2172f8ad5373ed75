"""Brings the objects of images together that stand in any order in one file, in bounded memory."""

from __future__ import annotations

import posixpath
from collections.abc import Callable, Iterator
from typing import Any

from transforms.annotations.spilled_groups import SpilledGroups
from transforms.ledger.reasons import Reason
from transforms.records import (
    AnnotatedImage,
    Box,
    BoxProblem,
    ImageLabel,
    ObjectAnnotation,
    Polygons,
    ReadContext,
    Reading,
    Rejection,
    Unit,
)

_IMAGE, _OBJECT, _PROBLEM, _LABEL = range(4)
# Of an object's fields without its box.
_POSITION = ObjectAnnotation._fields.index("position") - 1


class TableImages:
    """Collects rows by the name of their image, then yields an image each.

    Args:
      repairs: of the file itself, which each of its images carries.
      folder, fields: of each image.
      other_names: gives other names that an image may have.
    """

    def __init__(
        self,
        context: ReadContext,
        repairs: tuple[str, ...] = (),
        *,
        folder: str | None = None,
        fields: tuple[tuple[str, str], ...] = (),
        other_names: Callable[[str], tuple[str, ...]] = lambda name: (),
    ):
        self._context = context
        self._repairs = repairs
        self._folder = posixpath.dirname(context.annotation_file) if folder is None else folder
        self._fields = fields
        self._other_names = other_names
        self._groups = SpilledGroups()
        self._rejections: list[Rejection] = []
        self._last_image: tuple[Any, ...] = ()

    def add_image(self, name: str, width: int | None = None, height: int | None = None, split: str = "") -> None:
        """Notes an image, which may have no objects; the first size and the first split count."""
        entry = (name, width, height, split)
        if entry != self._last_image:  # the rows of an image often stand together
            self._last_image = entry
            self._groups.append(name, (_IMAGE, width, height, split))

    def add_object(self, name: str, item: ObjectAnnotation) -> None:
        mask_bytes = 8 * sum(map(len, item.mask.rings)) if isinstance(item.mask, Polygons) else 0
        self._groups.append(name, (_OBJECT, tuple(item.box), *item[1:]), mask_bytes)

    def add_problem(self, name: str, problem: BoxProblem) -> None:
        """Notes an object that cannot be read; of an image without a name, as one without an image."""
        if name:
            self._groups.append(name, (_PROBLEM, problem))
        else:
            self.reject(problem.reason, problem.detail, (problem,))

    def add_label(self, name: str, label: ImageLabel) -> None:
        self._groups.append(name, (_LABEL, label))

    def reject(self, reason: str, detail: str, problems: tuple[BoxProblem, ...] = ()) -> None:
        """Notes something that belongs to no image."""
        context = self._context
        self._rejections.append(
            Rejection(
                reason,
                detail,
                is_image=False,
                problems=problems,
                source=context.source,
                annotation_file=context.annotation_file,
            )
        )

    def readings(self, unit: Unit = "pixels") -> Iterator[Reading]:
        """Yields what belongs to no image, then each image with its objects in the order of the file."""
        yield from self._rejections
        for name, entries in self._groups.groups():
            yield self._image(name, entries, unit)

    def _image(self, name: str, entries: list[tuple[Any, ...]], unit: Unit) -> AnnotatedImage:
        objects: list[ObjectAnnotation] = []
        problems: list[BoxProblem] = []
        labels: dict[ImageLabel, None] = {}
        width = height = None
        split = ""
        seen: dict[tuple[Any, ...], str] = {}
        for kind, *values in entries:
            if kind == _OBJECT:
                box, *rest = values
                item = ObjectAnnotation(Box._make(box), *rest)
                # Equal but for the position; this is done for every object of large files.
                first = seen.setdefault((box, *rest[:_POSITION], *rest[_POSITION + 1 :]), item.position)
                if first == item.position:
                    objects.append(item)
                else:
                    detail = f"the same as {first}"
                    problems.append(
                        BoxProblem(item.position, item.box_id, item.class_name, "dropped", Reason.DUP_BOX, detail)
                    )
            elif kind == _PROBLEM:
                problems += values
            elif kind == _LABEL:
                labels |= dict.fromkeys(values)
            else:
                width, height, split = width or values[0], height or values[1], split or values[2]
        return AnnotatedImage(
            file_name=name,
            folder=self._folder,
            fields=self._fields,
            other_names=self._other_names(name),
            width=width,
            height=height,
            unit=unit,
            objects=tuple(objects),
            problems=tuple(problems),
            labels=tuple(labels),
            repairs=self._repairs,
            source=self._context.source,
            annotation_file=self._context.annotation_file,
            split=split,
        )
