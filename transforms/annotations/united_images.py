"""One image of what several annotation files of a source say of it, as COCO has boxes, keypoints, captions and maps.

What is complementary is brought together; what contradicts itself is refused, since nobody knows which was meant:

* Objects of one id are one object, which has all that any of the files says of it. Its box and class must agree.
* An object that two files have alike is there once; the other is dropped, and its row says so.
* The things of a panoptic map have no boxes of their own where another file has boxes of their class in the image: they
  are the same things. The map keeps them.
* Captions that two files have alike are there once. Of the picture's id, size, split and map there can be but one.

The result depends on the names and the content of the files, never on the order in which they are read.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, TypeVar

from transforms.annotations.coco_images import is_segment
from transforms.annotations.refusals import DUP_IMAGE_REMEDY, Refused
from transforms.ledger.reasons import Reason
from transforms.records import AnnotatedImage, Box, BoxProblem, ObjectAnnotation

T = TypeVar("T")

_AREA, _MASK = (ObjectAnnotation._fields.index(name) for name in ("area", "mask"))
# What an object is known by comes first: box, class, id and position.
_KNOWN_BY = ObjectAnnotation._fields.index("position") + 1
_UNSAID = (None, "")


def united(images: Iterable[AnnotatedImage]) -> AnnotatedImage:
    """The one image of several readings of it.

    Its annotation file names the files of all, and the positions of its objects begin with their file's name.

    Raises:
      Refused: the readings contradict each other; the detail names the files.
    """
    read = _labelled(images)
    maps = [(label, image.panoptic) for label, image in read if image.panoptic is not None]
    for label, other in maps[1:]:
        if other != maps[0][1]:
            detail = f"{maps[0][0]} and {label} have different panoptic maps of the image; {DUP_IMAGE_REMEDY}"
            raise Refused(Reason.PANOPTIC_REPEATED, detail)
    image_id, width, height, split = (
        _agreed(name, [(label, getattr(image, name)) for label, image in read])
        for name in ("image_id", "width", "height", "split")
    )
    objects = _Objects()
    for label, items in _objects_in_turn(read):
        objects.add(label, items)
    for label, image in read:
        objects.add_problems(label, image.problems)
    return read[0][1]._replace(
        image_id=image_id,
        width=width,
        height=height,
        split=split,
        objects=tuple(objects.items),
        problems=tuple(objects.problems),
        annotation_file=", ".join(label for label, _ in read),
        captions=_captions(image for _, image in read),
        panoptic=maps[0][1] if maps else None,
        repairs=_each_once(image.repairs for _, image in read),
        fields=_each_once(image.fields for _, image in read),
        labels=_each_once(image.labels for _, image in read),
        negative_classes=_each_once(image.negative_classes for _, image in read),
        not_exhaustive_classes=_each_once(image.not_exhaustive_classes for _, image in read),
    )


def _labelled(images: Iterable[AnnotatedImage]) -> list[tuple[str, AnnotatedImage]]:
    """The readings in an order of their own, each with the name of its file; files of one name get numbers."""
    by_name: defaultdict[str, list[AnnotatedImage]] = defaultdict(list)
    for image in images:
        by_name[image.annotation_file].append(image)
    return [
        (f"{name} ({number})" if number > 1 else name, image)
        for name, found in sorted(by_name.items())
        for number, image in enumerate(sorted(found, key=repr) if len(found) > 1 else found, start=1)
    ]


def _agreed(name: str, said: Sequence[tuple[str, Any]]) -> Any:
    """The value that those files give which give any.

    Raises:
      Refused: they give different ones.
    """
    given = [(label, value) for label, value in said if value not in _UNSAID]
    if not given:
        return said[0][1]
    label, value = given[0]
    for other_label, other in given[1:]:
        if other != value:
            what = name.removeprefix("image_")
            detail = f"the {what} of the image is {value} in {label} and {other} in {other_label}; {DUP_IMAGE_REMEDY}"
            raise Refused(Reason.DUP_IMAGE_NAME, detail)
    return value


def _each_once(parts: Iterable[Iterable[T]]) -> tuple[T, ...]:
    return tuple(dict.fromkeys(value for part in parts for value in part))


def _captions(images: Iterable[AnnotatedImage]) -> tuple[str, ...]:
    captions: list[str] = []
    for image in images:
        known = {*captions}  # in one file two persons may say the same
        captions += [caption for caption in image.captions if caption not in known]
    return tuple(captions)


def _objects_in_turn(read: Sequence[tuple[str, AnnotatedImage]]) -> Iterator[tuple[str, list[ObjectAnnotation]]]:
    """The objects of each file; then the things of a map, less those of which another file has the boxes."""
    own = [[item for item in image.objects if not is_segment(item.position)] for _, image in read]
    for (label, _), items in zip(read, own, strict=True):
        yield label, items
    for number, (label, image) in enumerate(read):
        if len(own[number]) < len(image.objects):
            boxed = {item.class_name for other, items in enumerate(own) if other != number for item in items}
            things = (item for item in image.objects if is_segment(item.position))
            yield label, [item for item in things if item.class_name not in boxed]


class _Objects:
    """The objects of an image, and what is to be told of them, file by file."""

    def __init__(self) -> None:
        self.items: list[ObjectAnnotation] = []
        self.problems: list[BoxProblem] = []
        self._said: list[list[tuple[str, ObjectAnnotation]]] = []  # of each, by which file
        self._by_id: defaultdict[str, list[int]] = defaultdict(list)
        self._by_box: defaultdict[tuple[Box, str], list[int]] = defaultdict(list)
        self._moved: dict[tuple[str, str], str] = {}  # positions of joined objects to those of what they are joined to
        self._lost: set[tuple[str, str, str, str]] = set()

    def add(self, label: str, items: Iterable[ObjectAnnotation]) -> None:
        """Adds the objects of a file to those of others; among themselves they are as they are.

        Raises:
          Refused: an object contradicts that of another file with its id.
        """
        new = []
        for item in items:
            number = self._find(label, item)
            if number is None:
                new.append(item)
                continue
            place, said = self.items[number].position, self._said[number]
            if any(_contents(item) == _contents(other) for _, other in said):
                detail = f"the same as {place}; if {label} repeats that file, leave it out"
                position = _position(label, item.position)
                self.problems.append(
                    BoxProblem(position, item.box_id, item.class_name, "dropped", Reason.DUP_BOX, detail)
                )
            else:
                self.items[number] = _joined(self.items[number], item, said[0][0], label)
                self._moved[label, item.position] = place
                said.append((label, item))
        for number, item in enumerate(new, start=len(self.items)):
            self.items.append(item._replace(position=_position(label, item.position)))
            self._said.append([(label, item)])
            self._by_box[item.box, item.class_name].append(number)
            if item.box_id:
                self._by_id[item.box_id].append(number)

    def _find(self, label: str, item: ObjectAnnotation) -> int | None:
        """The object of other files that one is the same as."""
        if item.box_id and (numbers := self._by_id.get(item.box_id)):
            for number in numbers:
                if _is_one(item, self.items[number]):
                    return number
            other_label, other = self._said[numbers[0]][0]
            detail = (
                f"annotation {item.box_id} is {_described(other)} in {other_label} and {_described(item)} in {label}; "
                f"if they are no one object, {DUP_IMAGE_REMEDY}"
            )
            raise Refused(Reason.DUP_IMAGE_NAME, detail)
        alike = self._by_box.get((item.box, item.class_name), ())
        return next((n for n in alike if any(_contents(item) == _contents(other) for _, other in self._said[n])), None)

    def add_problems(self, label: str, problems: Iterable[BoxProblem]) -> None:
        """Adds what a file's reading has told; of an object that is lost in two files alike it is told once."""
        lost = set()
        for problem in problems:
            key = (problem.box_id, problem.class_name, problem.reason, problem.detail)
            if problem.status == "dropped" and problem.box_id:
                if key in self._lost:
                    continue
                lost.add(key)
            position = self._moved.get((label, problem.position)) or _position(label, problem.position)
            self.problems.append(problem._replace(position=position))
        self._lost |= lost


def _position(label: str, position: str) -> str:
    return f"{label}: {position}"


def _is_one(item: ObjectAnnotation, other: ObjectAnnotation) -> bool:
    """Whether class and box are the same; NaN, which the check of boxes is to find, is the same as NaN."""
    return item.class_name == other.class_name and (item.box == other.box or repr(item.box) == repr(other.box))


def _contents(item: ObjectAnnotation) -> tuple[Any, ...]:
    """All that an object is, but for its id and place."""
    return item[:2] + item[_KNOWN_BY:]


def _joined(known: ObjectAnnotation, item: ObjectAnnotation, label: str, other_label: str) -> ObjectAnnotation:
    """All that two files say of one object.

    Raises:
      Refused: they say different things. Areas may differ: some files give the mask's, others the box's.
    """
    values = list(known)
    for index in range(_KNOWN_BY, len(values)):
        if values[index] in _UNSAID or (index == _AREA and known[_MASK] is None and item[_MASK] is not None):
            values[index] = item[index] if item[index] not in _UNSAID else values[index]
        elif item[index] not in _UNSAID and item[index] != values[index] and index != _AREA:
            what = ObjectAnnotation._fields[index]
            detail = f"{what} of annotation {item.box_id} differs between {label} and {other_label}; {DUP_IMAGE_REMEDY}"
            raise Refused(Reason.DUP_IMAGE_NAME, detail)
    return ObjectAnnotation._make(values)


def _described(item: ObjectAnnotation) -> str:
    return f"{item.class_name!r} with the edges {', '.join(f'{edge:g}' for edge in item.box)}"
