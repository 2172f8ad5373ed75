"""Digests of what images are made from, and their file."""

from __future__ import annotations

import io
import pickle

import pyarrow.parquet as pq
import pytest

from transforms.annotations.packs import pack_entry
from transforms.examples.wire_format import BYTES, INT64, encode_example
from transforms.ledger.reasons import Reason
from transforms.ledger.refusal import Refusal
from transforms.records import AnnotatedImage, Box, BoxProblem, ObjectAnnotation, Polygons
from transforms.shards.image_inputs import (
    ImageInputs,
    annotation_digest,
    files_digest,
    inputs_in,
    inputs_parquet,
    problem_objects,
    record_digest,
)

OBJECT = ObjectAnnotation(Box(1, 2, 3, 4), "cat", "7", "annotations[7]", mask=Polygons(((1.0, 2.0, 3.0, 4.0),)))
IMAGE = AnnotatedImage("a.jpg", "5", 40, 30, objects=(OBJECT, OBJECT), source="s", annotation_file="x.json")
PROBLEM = BoxProblem("annotations[9]", "9", "dog", "dropped", "box_empty", "")

SAME = {
    "place of the annotation": IMAGE._replace(annotation_file="y.json", objects=(OBJECT, OBJECT._replace(position=""))),
    "number of a box": IMAGE._replace(objects=(OBJECT._replace(box_id="8"), OBJECT)),
    "dropped boxes": IMAGE._replace(problems=(PROBLEM,)),
    "split and fields": IMAGE._replace(split="val", fields=(("video", "3"),)),
    "other objects of equal value": pickle.loads(pickle.dumps(IMAGE)),
    "source": IMAGE._replace(source="t"),
}
OTHER = {
    "edge": IMAGE._replace(objects=(OBJECT, OBJECT._replace(box=Box(1, 2, 3, 5)))),
    "class": IMAGE._replace(objects=(OBJECT, OBJECT._replace(class_name="dog"))),
    "flag": IMAGE._replace(objects=(OBJECT, OBJECT._replace(difficult=True))),
    "mask": IMAGE._replace(objects=(OBJECT, OBJECT._replace(mask=None))),
    "order": IMAGE._replace(objects=(OBJECT._replace(class_name="dog"), OBJECT)),
    "id": IMAGE._replace(image_id="6"),
    "size": IMAGE._replace(width=41),
    "caption": IMAGE._replace(captions=("a cat",)),
}


@pytest.mark.parametrize("case", SAME)
def test_annotation_digest_does_not_depend_on(case: str) -> None:
    assert annotation_digest(pack_entry(SAME[case]), False) == annotation_digest(pack_entry(IMAGE), False)


@pytest.mark.parametrize("case", OTHER)
def test_annotation_digest_depends_on(case: str) -> None:
    assert annotation_digest(pack_entry(OTHER[case]), False) != annotation_digest(pack_entry(IMAGE), False)


def test_source_counts_where_records_name_it() -> None:
    assert annotation_digest(pack_entry(IMAGE), True) != annotation_digest(pack_entry(SAME["source"]), True)


def test_files_digest() -> None:
    alone = files_digest(b"picture", "", {})
    masks = {"m.png": b"mask", "n.png": Refusal(Reason.MASK_MISSING, "in /a")}
    digests = {
        alone,
        files_digest(b"another", "", {}),
        files_digest(b"picture", "", masks),
        files_digest(b"picture", "", masks | {"m.png": b"other"}),
        files_digest(b"picture", "", {"m.png": b"mask"}),
    }
    assert len(digests) == 5
    elsewhere = masks | {"n.png": Refusal(Reason.MASK_MISSING, "in /b")}
    assert files_digest(b"picture", "", masks) == files_digest(b"picture", "", elsewhere)


@pytest.mark.parametrize("size", [10, 10_000])
def test_record_digest_is_the_same_however_the_record_came(size: int) -> None:
    picture = b"\xff" * size
    buffers = encode_example({"image/encoded": (BYTES, (picture,)), "image/height": (INT64, (3,))})
    taken_over = b"".join(buffers)
    assert record_digest(buffers, picture) == record_digest([taken_over], picture)
    assert record_digest([taken_over + b"x"], picture) != record_digest([taken_over], picture)


def test_rows_are_read_back() -> None:
    rows = [ImageInputs(2**64 - 1, 2, 3, 4, 500, 1, (0, 2)), ImageInputs(1, 2)]
    data = inputs_parquet(rows, {"a": "b"})
    assert inputs_in(pq.read_table(io.BytesIO(data))) == rows
    assert inputs_parquet(rows, {"a": "b"}) == data
    assert inputs_in(pq.read_table(io.BytesIO(inputs_parquet([], {})))) == []


def test_problems_name_their_objects() -> None:
    second = OBJECT._replace(position="annotations[8]")
    image = IMAGE._replace(objects=(OBJECT, second), problems=(PROBLEM,))
    found = BoxProblem("annotations[8]", "7", "cat", "repaired", "box_clipped", "")
    assert problem_objects(image, [PROBLEM, found, found]) == (1, 1)
    assert problem_objects(image, [PROBLEM]) == ()
