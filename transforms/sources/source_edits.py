"""What a source's settings change in its readings, as they are read."""

from __future__ import annotations

from dataclasses import dataclass, replace

from transforms.records import AnnotatedImage, Reading
from transforms.sources.class_changes import ClassChanges


@dataclass(frozen=True, slots=True)
class SourceEdits:
    """Changes to readings.

    Attributes:
      classes: applied one after the other: the source's own, then those of the whole dataset.
      weight: factor of each object's weight, 1 where it has none.
    """

    classes: tuple[ClassChanges, ...] = ()
    weight: float | None = None

    def __bool__(self) -> bool:
        return any(self.classes) or self.weight is not None

    def apply(self, reading: Reading) -> Reading:
        """The reading with all changes made."""
        for changes in self.classes:
            reading = changes.apply(reading)
        if self.weight is None or not isinstance(reading, AnnotatedImage):
            return reading
        weighted = (
            item._replace(weight=self.weight * (1.0 if item.weight is None else item.weight))
            for item in reading.objects
        )
        return replace(reading, objects=tuple(weighted))


NO_EDITS = SourceEdits()
