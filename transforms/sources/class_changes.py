"""Class names renamed, merged and dropped as they are read, before anything goes by them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from transforms.annotations.fields import clean_class_name, quote
from transforms.ledger.reasons import Reason
from transforms.records import AnnotatedImage, BoxProblem, DeclaredClasses, ObjectAnnotation, Reading


@dataclass(frozen=True, slots=True)
class ClassChanges:
    """What becomes of class names.

    Attributes:
      rename: old name and new one; classes of one new name are merged.
      drop: old names of classes whose boxes are dropped.
    """

    rename: Mapping[str, str] = field(default_factory=dict)
    drop: frozenset[str] = frozenset()

    @classmethod
    def of(cls, rename: Mapping[str, str], drop: Iterable[str]) -> ClassChanges:
        """Changes as a user writes them.

        Raises:
          ValueError: a class is to be both renamed and dropped, or renamed twice.
        """
        renamed: dict[str, str] = {}
        for old, new in rename.items():
            name = clean_class_name(old)
            if renamed.setdefault(name, clean_class_name(new)) != clean_class_name(new):
                raise ValueError(f"class {quote(name)} is renamed twice, in two spellings; keep one of them")
        dropped = frozenset(map(clean_class_name, drop))
        if both := sorted(dropped & renamed.keys()):
            raise ValueError(f"class {quote(both[0])} is in both rename and drop; keep it in one of them")
        return cls(renamed, dropped)

    def new_name(self, name: str) -> str | None:
        """The name that a class gets; None if it is dropped."""
        return None if name in self.drop else self.rename.get(name, name)

    def __bool__(self) -> bool:
        return bool(self.rename or self.drop)

    def to_plain(self) -> dict[str, object]:
        """As plain values in a fixed order."""
        return {"rename": dict(sorted(self.rename.items())), "drop": sorted(self.drop)}

    def apply(self, reading: Reading) -> Reading:
        """A reading with its classes changed; the boxes of dropped classes become problems."""
        if isinstance(reading, DeclaredClasses):
            return self._declared(reading)
        return self._image(reading) if isinstance(reading, AnnotatedImage) else reading

    def _declared(self, classes: DeclaredClasses) -> DeclaredClasses:
        """A merged class keeps the lowest of its ids, and the keypoints of the first that has any."""
        ids: dict[str, int] = {}
        for old, class_id in classes.ids:
            if (name := self.new_name(old)) is not None:
                ids[name] = min(class_id, ids.get(name, class_id))
        keypoints, skeletons = (
            {name: value for old, value in reversed(pairs) if (name := self.new_name(old)) is not None}
            for pairs in (classes.keypoints, classes.skeletons)
        )
        return DeclaredClasses(tuple(ids.items()), tuple(keypoints.items()), tuple(skeletons.items()))  # type: ignore[arg-type]

    def _image(self, image: AnnotatedImage) -> AnnotatedImage:
        objects: list[ObjectAnnotation] = []
        dropped: list[BoxProblem] = []
        for item in image.objects:
            name = self.new_name(item.class_name)
            if name is None:
                detail = "the class map drops this class"
                reason = Reason.CLASS_DROPPED
                dropped.append(BoxProblem(item.position, item.box_id, item.class_name, "dropped", reason, detail))
            else:
                objects.append(item if name == item.class_name else item._replace(class_name=name))
        return image._replace(
            objects=tuple(objects),
            problems=(*image.problems, *dropped),
            labels=tuple(
                label._replace(class_name=name)
                for label in image.labels
                if (name := self.new_name(label.class_name)) is not None
            ),
            negative_classes=self._names(image.negative_classes),
            not_exhaustive_classes=self._names(image.not_exhaustive_classes),
            panoptic=image.panoptic
            and image.panoptic._replace(
                segments=tuple(
                    segment._replace(class_name=name)
                    for segment in image.panoptic.segments
                    if (name := self.new_name(segment.class_name)) is not None
                )
            ),
        )

    def _names(self, names: Iterable[str]) -> tuple[str, ...]:
        return tuple(dict.fromkeys(new for name in names if (new := self.new_name(name)) is not None))
