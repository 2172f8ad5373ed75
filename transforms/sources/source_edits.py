"""What a source's settings change in its readings, as they are read."""

from __future__ import annotations

from dataclasses import dataclass

from transforms.records import AnnotatedImage, ObjectAnnotation, Reading
from transforms.sources.class_changes import ClassChanges
from transforms.sources.split_finder import SplitFinder


@dataclass(frozen=True, slots=True)
class SourceEdits:
    """Changes to readings.

    Attributes:
      classes: applied one after the other: the source's own, then those of the whole dataset.
      weight: factor of each object's weight, 1 where it has none.
      splits: finds the splits that the source gives, if these are taken.
    """

    classes: tuple[ClassChanges, ...] = ()
    weight: float | None = None
    splits: SplitFinder | None = None

    def __bool__(self) -> bool:
        return any(self.classes) or self.weight is not None or self.splits is not None

    def apply(self, reading: Reading) -> Reading:
        """The reading with all changes made."""
        for changes in self.classes:
            reading = changes.apply(reading)
        if not isinstance(reading, AnnotatedImage):
            return reading
        if self.splits is not None:
            split = self.splits.find(reading.split, reading.file_name, reading.annotation_file)
            reading = reading._replace(split=split)
        if self.weight is not None:
            reading = reading._replace(objects=tuple(_weighted(item, self.weight) for item in reading.objects))
        return reading


def _weighted(item: ObjectAnnotation, weight: float) -> ObjectAnnotation:
    return item._replace(weight=weight * (1.0 if item.weight is None else item.weight))


NO_EDITS = SourceEdits()
