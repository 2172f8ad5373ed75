"""Objects by columns are the objects that they are made of."""

import pytest

from transforms.columned_objects import ColumnedObjects, column_number
from transforms.records import Box, ObjectAnnotation, Polygons

BOXES = [Box(float(number), 1.0, number + 2.5, 3.0) for number in range(3)]
CASES = {
    "none": [],
    "plain": [ObjectAnnotation(box, "cat", "5", "line 1", 7.5, False) for box in BOXES],
    "some tell more": [
        ObjectAnnotation(BOXES[0], "cat"),
        ObjectAnnotation(BOXES[1], "dog", mask=Polygons(((0.0, 1.0),)), track_id="t"),
        ObjectAnnotation(BOXES[2], "cat", is_crowd=True, weight=0.5),
    ],
}


@pytest.mark.parametrize("objects", CASES.values(), ids=CASES)
def test_there_and_back(objects: list[ObjectAnnotation]) -> None:
    columned = ColumnedObjects.of(tuple(objects))
    assert columned == tuple(objects)
    assert (list(columned), len(columned)) == (objects, len(objects))
    assert ColumnedObjects.of(columned) is columned


def test_a_column_that_says_nothing_is_none() -> None:
    columns = ColumnedObjects.of(CASES["some tell more"]).columns
    told = {"class_name", "box_id", "position", "is_crowd", "weight", "mask", "track_id"}
    assert {field for field in ObjectAnnotation._fields[1:] if columns[column_number(field)] is not None} == told
