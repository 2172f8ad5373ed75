"""Images that are read column by column are those that are read one by one."""

from __future__ import annotations

import io
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from transforms.annotations import coco
from transforms.annotations.coco_images import IMAGE
from transforms.annotations.plain_images import plain_images
from transforms.records import ReadContext

PLAIN = {"id": 1, "file_name": "a.jpg", "width": 640, "height": 480}
OTHERS: dict[str, Any] = {
    "no object": None,
    "another object": [PLAIN],
    "no id": {key: PLAIN[key] for key in ("file_name", "width", "height")},
    "no height": {key: PLAIN[key] for key in ("id", "file_name", "width")},
    "an id as text": PLAIN | {"id": " 2"},
    "a flag for an id": PLAIN | {"id": True},
    "a blank name": PLAIN | {"file_name": " "},
    "no name but a URL": PLAIN | {"file_name": "", "coco_url": "http://h/b.jpg"},
    "a name that is none": PLAIN | {"file_name": 5},
    "a float": PLAIN | {"width": 640.0},
    "no width": PLAIN | {"width": 0},
    "a size that is too large": PLAIN | {"height": 2**63},
    "classes that are absent": PLAIN | {"neg_category_ids": [1]},
}


def _readings(images: list[Any], *, one_by_one: bool) -> list[Any]:
    with pytest.MonkeyPatch.context() as patch:
        if one_by_one:
            patch.setattr(coco, "plain_images", lambda *_: None)
        text = json.dumps({"images": images, "annotations": [], "categories": [{"id": 1, "name": "c"}]})
        return list(coco.read(io.BytesIO(text.encode()), ReadContext("s", "t.json")))


@pytest.mark.parametrize("other", OTHERS.values(), ids=OTHERS)
def test_one_unusual_image_has_all_read_one_by_one(other: Any) -> None:
    assert plain_images([PLAIN] * 3, {"neg_category_ids"}.isdisjoint) is not None
    assert plain_images([PLAIN, other, PLAIN], {"neg_category_ids"}.isdisjoint) is None


def test_entries() -> None:
    found = plain_images([PLAIN, PLAIN | {"id": -5, "license": "free"}], lambda keys: True)
    assert found is not None
    assert list(found) == [("1", (IMAGE, "a.jpg", 640, 480, ())), ("-5", (IMAGE, "a.jpg", 640, 480, ()))]


images = st.fixed_dictionaries(
    {
        "id": st.integers(-5, 5),
        "file_name": st.sampled_from(["a.jpg", "폴더/b.png", " ", "\ud800.jpg"]),
        "width": st.sampled_from([640, 1, 0, -1]),
        "height": st.sampled_from([480, 2**63 - 1, 2**63]),
    },
    optional={"license": st.integers(), "coco_url": st.text(), "flags": st.lists(st.integers())},
)


@given(st.lists(images, max_size=6))
def test_readings_are_those_of_one_by_one(elements: list[dict[str, Any]]) -> None:
    assert _readings(elements, one_by_one=False) == _readings(elements, one_by_one=True)
