from __future__ import annotations

import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.sample_data import jpeg
from transforms.examples import feature_keys as keys
from transforms.examples.check_boxes import check_objects
from transforms.examples.class_ids import ClassIds
from transforms.examples.encode_image import image_features
from transforms.examples.geometry import Geometry
from transforms.examples.wire_format import BYTES, FLOAT, INT64, Value
from transforms.images.check_image import CheckedImage
from transforms.records import Box, DeclaredClasses, Keypoint, ObjectAnnotation

DECLARED = DeclaredClasses((), (("cat", ("nose", "tail")), ("개", ("nose", "paw"))))
IDS = ClassIds.from_labels({"cat": 1, "개": 7}).with_keypoints([DECLARED])
IMAGE = CheckedImage(jpeg(), "jpeg", 40, 30)


def features_of(*objects: ObjectAnnotation) -> dict[str, Value]:
    checked, problems = check_objects(objects, Geometry(40, 30, 40, 30), IDS.keypoints)
    assert not problems
    return image_features("한글.jpg", 5, IMAGE, hashlib.sha256(IMAGE.data).hexdigest(), checked, IDS)


def test_one_image() -> None:
    more = {"area": 12.5, "is_crowd": True, "pose": "Left", "difficult": False}
    features = features_of(
        ObjectAnnotation(Box(4, 6, 20, 30), "개", **more), ObjectAnnotation(Box(0, 0, 40, 15), "cat")
    )  # type: ignore[arg-type]
    assert features[keys.ENCODED] == (BYTES, (IMAGE.data,))
    assert features[keys.FORMAT] == (BYTES, (b"jpeg",))
    assert features[keys.FILE_NAME] == (BYTES, ("한글.jpg".encode(),))
    assert features[keys.SOURCE_ID] == (BYTES, (b"5",))
    assert (features[keys.HEIGHT], features[keys.WIDTH]) == ((INT64, (30,)), (INT64, (40,)))
    assert features[keys.YMIN] == (FLOAT, [0.2, 0.0])
    assert features[keys.XMIN] == (FLOAT, [0.1, 0.0])
    assert features[keys.YMAX] == (FLOAT, [1.0, 0.5])
    assert features[keys.XMAX] == (FLOAT, [0.5, 1.0])
    assert features[keys.LABEL] == (INT64, [7, 1])
    assert features[keys.TEXT] == (BYTES, ["개".encode(), b"cat"])
    assert features[keys.AREA] == (FLOAT, [12.5, 600.0])
    assert features[keys.IS_CROWD] == features[keys.TFDS_IS_CROWD] == (INT64, [1, 0])
    assert features[keys.TFDS_BBOX] == (FLOAT, [0.2, 0.1, 1.0, 0.5, 0.0, 0.0, 0.5, 1.0])
    assert features[keys.TFDS_LABEL] == (INT64, [1, 0])
    assert features[keys.VIEW] == (BYTES, [b"Left", b""])
    assert features[keys.DIFFICULT] == (INT64, [0, 0])
    assert keys.TRUNCATED not in features


def test_negative_has_all_lists_empty() -> None:
    features = features_of()
    assert all(not values for key, (_, values) in features.items() if keys.FEATURE_KEYS[key].count != "one")
    assert {key for key in keys.FEATURE_KEYS if not keys.FEATURE_KEYS[key].optional} | {*keys.KEYPOINTS} == set(
        features
    )


flags = st.none() | st.booleans()
objects = st.builds(
    ObjectAnnotation,
    st.builds(Box, st.floats(0, 10), st.floats(0, 10), st.floats(20, 40), st.floats(20, 30)),
    st.sampled_from(["cat", "개"]),
    area=st.none() | st.floats(),
    is_crowd=flags,
    difficult=flags,
    truncated=flags,
    occluded=flags,
    group_of=flags,
    depiction=flags,
    pose=st.none() | st.text(max_size=3),
    weight=st.none() | st.floats(),
    mask=st.none(),
    keypoints=st.none() | st.just((Keypoint(3, 3, 2), Keypoint(0, 0, 0))),
    track_id=st.sampled_from(["", "7", "a"]),
)


@given(st.lists(objects, max_size=4))
def test_every_record_keeps_to_the_table_of_keys(items: list[ObjectAnnotation]) -> None:
    per_object = {"one": 0, "per object": 1, "four per object": 4, "K per object": 3}
    for key, (kind, values) in features_of(*items).items():
        expected = keys.FEATURE_KEYS[key]
        assert kind == expected.kind
        assert len(values) == (1 if expected.count == "one" else per_object[expected.count] * len(items))
        if kind == FLOAT and key not in keys.KEYPOINTS:  # where NaN has a meaning
            assert all(abs(value) <= 3.5e38 for value in values)  # type: ignore[arg-type]


@pytest.mark.parametrize("key", keys.OPTIONAL_FLAGS)
def test_optional_flags_are_attributes_of_objects(key: str) -> None:
    item = ObjectAnnotation(Box(0, 0, 1, 1), "cat", **{keys.OPTIONAL_FLAGS[key]: True})  # type: ignore[arg-type]
    assert features_of(item, ObjectAnnotation(Box(0, 0, 1, 1), "cat"))[key] == (INT64, [1, 0])
    assert keys.FEATURE_KEYS[key].optional
