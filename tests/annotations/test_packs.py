from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from transforms.annotations import packs
from transforms.annotations.packs import PackedImage, decode_pack, pack_readings
from transforms.images.image_names import image_key
from transforms.records import (
    AnnotatedImage,
    Box,
    BoxProblem,
    DeclaredClasses,
    ImageLabel,
    Keypoint,
    MaskBitmap,
    MaskFile,
    ObjectAnnotation,
    Polygons,
    Reading,
    Rejection,
    Rle,
)

text = st.text(max_size=5)
flags = st.none() | st.booleans()
numbers = st.floats(allow_nan=False)
boxes = st.builds(Box, numbers, numbers, numbers, numbers)
masks = (
    st.builds(Polygons, st.lists(st.lists(numbers, max_size=8).map(tuple), max_size=2).map(tuple))
    | st.builds(Rle, st.integers(), st.integers(), text | st.lists(st.integers(), max_size=5).map(tuple))
    | st.builds(MaskBitmap, st.binary(max_size=9), st.integers(), st.integers())
    | st.builds(MaskFile, text, st.none() | st.integers())
)
keypoints = st.lists(st.builds(Keypoint, numbers, numbers, st.integers(0, 2)), max_size=3).map(tuple)
objects = st.builds(
    ObjectAnnotation,
    boxes,
    text,
    text,
    text,
    st.none() | numbers,
    flags,
    flags,
    flags,
    pose=st.none() | text,
    weight=st.none() | numbers,
    mask=st.none() | masks,
    keypoints=st.none() | keypoints,
)
problems = st.builds(BoxProblem, text, text, text, st.sampled_from(["repaired", "dropped"]), text, text)
images = st.builds(
    AnnotatedImage,
    text,
    text,
    st.none() | st.integers(1, 9),
    objects=st.lists(objects, max_size=3).map(tuple),
    problems=st.lists(problems, max_size=3).map(tuple),
    repairs=st.lists(text, max_size=2).map(tuple),
    labels=st.lists(st.builds(ImageLabel, text, numbers), max_size=2).map(tuple),
)
readings = (
    images
    | st.builds(Rejection, text, text, problems=st.lists(problems, max_size=2).map(tuple))
    | st.builds(DeclaredClasses, st.lists(st.tuples(text, st.integers()), max_size=3).map(tuple))
)


def unpacked(data: list[bytes]) -> list[Reading]:
    return [entry.unpack() if isinstance(entry, PackedImage) else entry for pack in data for entry in decode_pack(pack)]


@given(st.lists(readings, max_size=6))
def test_packs_give_back_what_went_in(items: list[Reading]) -> None:
    assert unpacked(list(pack_readings(items))) == items


@given(images)
def test_head_of_a_packed_image_tells_of_it(image: AnnotatedImage) -> None:
    (entry,) = decode_pack(next(pack_readings([image])))
    assert isinstance(entry, PackedImage)
    assert entry.key == image_key(image.file_name)
    assert (entry.image_id, entry.boxes_read) == (image.image_id, image.boxes_read)
    segments = image.panoptic.segments if image.panoptic else ()
    named = {item.class_name for item in (*image.objects, *image.labels, *segments)}
    assert set(entry.class_names) == named.union(image.negative_classes, image.not_exhaustive_classes)


def test_packs_are_bounded() -> None:
    few = [AnnotatedImage(str(number)) for number in range(packs.MAX_IMAGES * 2 + 1)]
    assert [len(decode_pack(pack)) for pack in pack_readings(few)] == [packs.MAX_IMAGES, packs.MAX_IMAGES, 1]
    item = ObjectAnnotation(Box(0, 0, 1, 1), "cat")
    full = [AnnotatedImage(str(number), objects=(item,) * packs.MAX_BOXES) for number in range(3)]
    assert [len(decode_pack(pack)) for pack in pack_readings(full)] == [1, 1, 1]
