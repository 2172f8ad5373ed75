"""Class names renamed, merged and dropped in all parts of a reading."""

from __future__ import annotations

from transforms.records import (
    AnnotatedImage,
    Box,
    BoxProblem,
    DeclaredClasses,
    ImageLabel,
    ObjectAnnotation,
    PanopticMap,
    PanopticSegment,
    Rejection,
)
from transforms.sources.class_changes import ClassChanges
from transforms.sources.source_edits import SourceEdits

CHANGES = ClassChanges.of({"car": "vehicle", "truck": "vehicle"}, ["bird"])
BOX = Box(0, 0, 1, 1)


def test_image() -> None:
    before = AnnotatedImage(
        "a.jpg",
        objects=tuple(ObjectAnnotation(BOX, name, position=name) for name in ("car", "bird", "truck", "cat")),
        labels=(ImageLabel("bird"), ImageLabel("car", 0.0)),
        negative_classes=("car", "bird", "truck"),
        not_exhaustive_classes=("cat",),
        panoptic=PanopticMap("a.png", (PanopticSegment(1, "truck"), PanopticSegment(2, "bird"))),
    )
    after = CHANGES.apply(before)
    assert isinstance(after, AnnotatedImage)
    assert [(item.class_name, item.position) for item in after.objects] == [
        ("vehicle", "car"),
        ("vehicle", "truck"),
        ("cat", "cat"),
    ]
    assert after.problems == (
        BoxProblem("bird", "", "bird", "dropped", "class_dropped", "the class map drops this class"),
    )
    assert after.boxes_read == before.boxes_read
    assert after.labels == (ImageLabel("vehicle", 0.0),)
    assert (after.negative_classes, after.not_exhaustive_classes) == (("vehicle",), ("cat",))
    assert after.panoptic == PanopticMap("a.png", (PanopticSegment(1, "vehicle"),))


def test_declared_classes_of_one_new_name_keep_the_lowest_id() -> None:
    before = DeclaredClasses(
        (("truck", 8), ("bird", 1), ("car", 3), ("cat", 5)),
        (("truck", ("axle",)), ("car", ("wheel",)), ("bird", ("beak",))),
    )
    assert CHANGES.apply(before) == DeclaredClasses((("vehicle", 3), ("cat", 5)), (("vehicle", ("axle",)),))


def test_changes_follow_each_other_and_weights_multiply() -> None:
    edits = SourceEdits((CHANGES, ClassChanges.of({"vehicle": "thing"}, [])), 2.0)
    items = (ObjectAnnotation(BOX, "car"), ObjectAnnotation(BOX, "cat", weight=0.5))
    image = edits.apply(AnnotatedImage("a.jpg", objects=items))
    assert isinstance(image, AnnotatedImage)
    assert [(item.class_name, item.weight) for item in image.objects] == [("thing", 2.0), ("cat", 1.0)]


def test_other_readings_stay() -> None:
    rejection = Rejection("image_missing", "")
    assert SourceEdits((CHANGES,), 2.0).apply(rejection) is rejection
    assert not SourceEdits((ClassChanges(),))
