from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from transforms.annotations.packs import PackedImage, pack_entry
from transforms.examples.check_boxes import check_objects
from transforms.examples.class_ids import ClassIds
from transforms.examples.encode_image import image_features
from transforms.examples.geometry import Geometry
from transforms.examples.wire_format import encode_example
from transforms.images.check_image import CheckedImage
from transforms.records import AnnotatedImage, Box, ObjectAnnotation

IDS = ClassIds.from_labels({"cat": 1, "개": 300})
PICTURE = CheckedImage(b"p" * 9000, "jpeg", 40, 30)

xs = st.integers(0, 40) | st.floats(-1, 41, width=32) | st.sampled_from([math.nan, math.inf, -math.inf, 0.005])
ys = st.integers(0, 30) | st.floats(-1, 31, width=32) | st.sampled_from([math.nan])
flags = st.none() | st.booleans()
objects = st.lists(
    st.builds(
        ObjectAnnotation,
        st.builds(Box, xs, ys, xs, ys),
        st.sampled_from(["cat", "개"]),
        area=st.none() | st.floats(),
        is_crowd=flags,
        difficult=flags,
        pose=st.sampled_from([None, "", "Left"]),
        weight=st.none() | st.floats(0, 1),
        track_id=st.sampled_from(["", "7"]),
    ),
    max_size=4,
).map(tuple)


@given(objects)
def test_packed_objects_are_checked_and_encoded_as_all_others(found: tuple[ObjectAnnotation, ...]) -> None:
    packed = pack_entry(AnnotatedImage("a.jpg", objects=found))
    assert isinstance(packed, PackedImage)
    records = []
    results = []
    for some in (found, packed.unpack().objects):
        checked, problems = check_objects(some, Geometry(40, 30, 40, 30))
        features = image_features("a.jpg", 5, PICTURE, "0" * 64, checked, IDS)
        records.append(b"".join(encode_example(features)))
        results.append((repr(list(checked)), checked.areas, [item.area for item in checked], len(checked), problems))
    assert records[0] == records[1]
    assert results[0] == results[1]
    assert results[0][1] == results[0][2]


@pytest.mark.parametrize(
    "box",
    [Box(-1, 0, 9, 9), Box(0, 0, 41, 9), Box(0, 0, 9, 31), Box(9, 0, 3, 9), Box(0, 0, math.nan, 9), Box(1, 1, 1, 9)],
)
def test_a_box_that_needs_a_change_is_seen_among_others(box: Box) -> None:
    packed = pack_entry(
        AnnotatedImage("a.jpg", objects=tuple(ObjectAnnotation(item, "cat") for item in (Box(1, 2, 3, 4), box)))
    )
    assert isinstance(packed, PackedImage)
    checked, problems = check_objects(packed.unpack().objects, Geometry(40, 30, 40, 30))
    assert problems
    assert checked[0].box == Box(1, 2, 3, 4)
