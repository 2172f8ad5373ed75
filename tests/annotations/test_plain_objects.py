from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from transforms.annotations.object_columns import ObjectColumns, columns_of_elements
from transforms.annotations.plain_objects import PlainObjects


def plain(count: int, images: int = 7) -> Iterator[dict[str, Any]]:
    for index in range(count):
        yield {"id": index, "image_id": index % images, "category_id": 1, "bbox": [index, 0, 2.5, 3], "iscrowd": 0}


def columns(elements: list[Any]) -> ObjectColumns:
    found = columns_of_elements(elements, lambda keys: True)
    assert found is not None
    return found


@pytest.mark.parametrize("most_in_memory", [20, 1000])
def test_objects_come_back_image_by_image_in_the_order_of_the_file(most_in_memory: int) -> None:
    objects = PlainObjects(most_in_memory)
    elements = list(plain(100))
    for first in range(0, 100, 10):
        ids = objects.take(first, columns(elements[first : first + 10]))
        assert list(ids) == list(range(first, first + 10))
    rows, counts = objects.of_images([3, 99, 0])
    assert counts == [14, 0, 15]
    assert rows["index"].tolist() == [*range(3, 100, 7), *range(0, 100, 7)]
    assert rows["xmax"].tolist() == [index + 2.5 for index in [*range(3, 100, 7), *range(0, 100, 7)]]
    assert objects.images_not_asked_for() == [1, 2, 4, 5, 6]


def test_polygons_come_back_with_their_objects() -> None:
    objects = PlainObjects()
    for first in (0, 10):
        batch = columns(list(plain(20))[first : first + 10])
        # Every object has a ring of one number and one of two: its own id, and its negative twice.
        batch.rows["rings"], batch.rows["numbers"], batch.rows["place"] = 2, 3, np.arange(10) * 5
        outlines = np.array([[1, 2, number, -number, -number] for number in range(first, first + 10)], float)
        objects.take(first, replace(batch, outlines=outlines.reshape(-1)))
    rows, _ = objects.of_images([5, 0])
    lengths, numbers = objects.polygons(rows)
    assert rows["id"].tolist() == [5, 12, 19, 0, 7, 14]
    assert lengths.tolist() == [1, 2] * 6
    assert numbers.tolist() == [sign * number for number in (5, 12, 19, 0, 7, 14) for sign in (1, -1, -1)]
