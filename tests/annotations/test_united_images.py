from __future__ import annotations

from itertools import permutations
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from transforms.annotations.packs import PackedImage, decode_pack, encode_pack, pack_entry
from transforms.annotations.refusals import Refused
from transforms.annotations.unite_images import ALONE, divide_pack, find_shared, read_names, unite_packs, unite_portion
from transforms.annotations.united_images import united
from transforms.records import (
    AnnotatedImage,
    Box,
    BoxProblem,
    DeclaredClasses,
    Keypoint,
    MaskFile,
    ObjectAnnotation,
    PanopticMap,
    Polygons,
    Rejection,
)

BOX, OTHER_BOX = Box(1, 2, 11, 12), Box(1, 2, 11, 13)
MASK = Polygons(((1.0, 2.0, 11.0, 2.0, 11.0, 12.0),))
POINTS = (Keypoint(3, 4, 2),)
CAT = ObjectAnnotation(BOX, "cat", "7", "annotations[0]", area=50.0, is_crowd=False, mask=MASK)
POSED = CAT._replace(keypoints=POINTS, position="annotations[9]")
DOG = ObjectAnnotation(OTHER_BOX, "dog", "8", "annotations[1]")
MAP = PanopticMap("maps/a.png", ())


def image(file: str, *objects: ObjectAnnotation, **more: Any) -> AnnotatedImage:
    more = {"image_id": "5", "width": 40, "height": 30} | more
    return AnnotatedImage("a.jpg", objects=objects, annotation_file=file, **more)


def segment(class_name: str, number: int = 0) -> ObjectAnnotation:
    position = f"annotations[0].segments_info[{number}]"
    return ObjectAnnotation(Box(0, 0, 9, 9), class_name, "", position, mask=MaskFile("maps/a.png", number))


def contents(result: AnnotatedImage) -> list[tuple[str, str]]:
    return [(item.class_name, item.position) for item in result.objects]


def test_what_is_complementary_comes_together_in_any_order() -> None:
    readings = [
        image("captions.json", captions=("One.", "One.", "Two."), width=None, height=None),
        image("instances.json", CAT, DOG, captions=("Two.", "Three.")),
        image("keypoints.json", POSED, split="val"),
        image("maps.json", segment("cat"), segment("sky", 1), panoptic=MAP, negative_classes=("cow",)),
    ]
    results = {united(order) for order in permutations(readings)}
    (result,) = results
    assert contents(result) == [
        ("cat", "instances.json: annotations[0]"),
        ("dog", "instances.json: annotations[1]"),
        ("sky", "maps.json: annotations[0].segments_info[1]"),
    ]
    assert result.objects[0]._replace(position=CAT.position) == CAT._replace(keypoints=POINTS)
    assert (result.width, result.height, result.image_id, result.split) == (40, 30, "5", "val")
    assert result.captions == ("One.", "One.", "Two.", "Three.")
    assert (result.panoptic, result.negative_classes) == (MAP, ("cow",))
    assert result.annotation_file == "captions.json, instances.json, keypoints.json, maps.json"
    assert result.problems == ()


def test_a_map_alone_keeps_its_things() -> None:
    maps = image("maps.json", segment("cat"), panoptic=MAP)
    assert len(united([maps, image("captions.json", captions=("One.",))]).objects) == 1


def test_what_files_do_not_say_alike_is_taken_from_either() -> None:
    """An area without a mask is the box's."""
    bare = CAT._replace(mask=None, area=100.0, is_crowd=None, keypoints=POINTS)
    for names in (("a", "b"), ("b", "a")):
        (item,) = united([image(names[0], CAT), image(names[1], bare)]).objects
        assert item._replace(position="") == CAT._replace(keypoints=POINTS, position="")


@pytest.mark.parametrize("again", [CAT, CAT._replace(box_id="70")], ids=["same id", "other id"])
def test_what_is_twice_is_dropped_once(again: ObjectAnnotation) -> None:
    result = united([image("copy.json", again), image("a.json", CAT, DOG)])
    assert contents(result) == [("cat", "a.json: annotations[0]"), ("dog", "a.json: annotations[1]")]
    (problem,) = result.problems
    assert (problem.status, problem.reason, problem.position) == ("dropped", "dup_box", "copy.json: annotations[0]")
    assert problem.detail == "the same as a.json: annotations[0]; if copy.json repeats that file, leave it out"
    assert result.boxes_read == 3


def test_a_copy_of_a_map_is_that_map() -> None:
    result = united([image(file, segment("cat"), panoptic=MAP) for file in ("a.json", "b.json")])
    assert (result.panoptic, len(result.objects), [item.reason for item in result.problems]) == (MAP, 1, ["dup_box"])


def test_a_box_that_is_no_box_is_left_to_its_check() -> None:
    def lost() -> Box:
        return Box(float("nan"), 2, 11, 12)

    result = united([image("a.json", CAT._replace(box=lost())), image("b.json", POSED._replace(box=lost()))])
    assert [item.keypoints for item in result.objects] == [POINTS]


OPTIONAL = {
    "is_crowd": st.none() | st.booleans(),
    "occluded": st.none() | st.booleans(),
    "keypoints": st.none() | st.just(POINTS),
    "track_id": st.sampled_from(["", "3"]),
}
kept_fields = st.lists(st.sets(st.sampled_from(sorted(OPTIONAL))), min_size=3, max_size=3)


@given(st.lists(st.tuples(st.fixed_dictionaries(OPTIONAL), kept_fields), max_size=4))
def test_parts_make_the_whole(parts: list[tuple[dict[str, Any], list[set[str]]]]) -> None:
    """Each file tells some things of each object, and together they tell all."""
    files: list[list[ObjectAnnotation]] = [[], [], []]
    whole = {}
    for number, (fields, kept) in enumerate(parts):
        item = ObjectAnnotation(Box(number, 2, 40, 12), "cat", str(number), f"annotations[{number}]", mask=MASK)
        kept[0] |= set(OPTIONAL) - set.union(*kept)
        whole[item.box_id] = item._replace(position="", **fields)
        for file, names in zip(files, kept, strict=True):
            file.append(item._replace(**{name: fields[name] for name in names}))
    readings = [image(f"{number}.json", *items) for number, items in enumerate(files)]
    result = united(readings)
    assert {item.box_id: item._replace(position="") for item in result.objects} == whole
    assert {problem.reason for problem in result.problems} <= {"dup_box"}
    assert result == united(readings[::-1])


def test_one_file_may_have_an_object_twice() -> None:
    """What is wrong within a file is for its reader to tell."""
    result = united([image("a.json", CAT, CAT._replace(position="annotations[3]")), image("b.json", DOG)])
    assert len(result.objects) == 3


def test_what_reading_told_is_told_once_and_by_file() -> None:
    remark = BoxProblem("annotations[9]", "7", "cat", "repaired", "dup_ann_id", "used twice")
    lost = BoxProblem("annotations[4]", "9", "cat", "dropped", "box_empty", "width 0, height 5")
    readings = [
        image("a.json", CAT, problems=(lost,)),
        image("b.json", POSED, problems=(remark, lost._replace(position="annotations[5]"))),
    ]
    result = united(readings)
    assert result.problems == (
        lost._replace(position="a.json: annotations[4]"),
        remark._replace(position="a.json: annotations[0]"),
    )


CONFLICTS = {
    "another box": (image("b.json", CAT._replace(box=OTHER_BOX)), "dup_image_name"),
    "another class": (image("b.json", CAT._replace(class_name="dog")), "dup_image_name"),
    "another mask": (image("b.json", POSED._replace(mask=Polygons(((0.0,) * 6,)))), "dup_image_name"),
    "another crowd flag": (image("b.json", POSED._replace(is_crowd=True)), "dup_image_name"),
    "another width": (image("b.json", width=41), "dup_image_name"),
    "another height": (image("b.json", height=31), "dup_image_name"),
    "another id": (image("b.json", image_id="6"), "dup_image_name"),
    "another split": (image("b.json", split="val"), "dup_image_name"),
    "another map": (image("b.json", panoptic=MAP._replace(path="other.png")), "panoptic_repeated"),
}


@pytest.mark.parametrize("case", CONFLICTS)
def test_conflicts_name_both_files_and_the_remedy(case: str) -> None:
    other, reason = CONFLICTS[case]
    first = image("a.json", CAT, split="train", panoptic=MAP)
    found = set()
    for order in permutations([first, other, image("c.json", captions=("One.",))]):
        with pytest.raises(Refused) as refused:
            united(order)
        found.add((refused.value.reason, refused.value.detail))
    ((code, detail),) = found
    assert code == reason
    assert "a.json" in detail
    assert "b.json" in detail
    assert "--sources" in detail


def test_files_of_one_name_are_told_apart() -> None:
    readings = [image("coco.json", CAT), image("coco.json", DOG), image("coco.json", CAT)]
    results = {united(order) for order in permutations(readings)}
    (result,) = results
    assert result.annotation_file == "coco.json, coco.json (2), coco.json (3)"
    places = [item.position for item in result.objects] + [item.position for item in result.problems]
    assert len(set(places)) == 3


def pack(*readings: AnnotatedImage | Rejection | DeclaredClasses, namespace: str = "") -> bytes:
    return encode_pack([pack_entry(reading, namespace) for reading in readings])


def test_only_shared_images_are_moved() -> None:
    """Everything else goes on, and a pack without any as the very bytes that it was."""
    declared, refused = DeclaredClasses((("cat", 1),)), Rejection("field_missing", "")
    alone = pack(declared, *(AnnotatedImage(f"alone{n}.jpg") for n in range(5)))
    first = pack(declared, refused, AnnotatedImage("b.jpg"), image("a.json", CAT))
    second = pack(image("b.json", POSED))
    shared = find_shared([read_names(item) for item in (alone, first, second)])
    assert (len(shared.hashes), shared.portions) == (1, 1)
    parts = [part for item in (alone, first, second) for part in divide_pack(item, shared)]
    assert next(iter(divide_pack(alone, shared))) == (ALONE, encode_pack(decode_pack(alone)))
    rest = [entry for number, part in parts if number == ALONE for entry in decode_pack(part)]
    assert rest == [*decode_pack(alone), declared, refused, pack_entry(AnnotatedImage("b.jpg"))]
    moved = [part for number, part in parts if number != ALONE]
    for order in permutations(moved):
        ((entry,),) = (decode_pack(item) for item in unite_portion(order))
        assert isinstance(entry, PackedImage)
        assert entry.unpack() == united([image("a.json", CAT), image("b.json", POSED)])


def test_nothing_shared_leaves_packs_as_they_are() -> None:
    packs = [pack(AnnotatedImage("a.jpg")), pack(Rejection("field_missing", ""))]
    shared = find_shared([read_names(item) for item in packs])
    assert [list(divide_pack(item, shared)) for item in packs] == [[(ALONE, item)] for item in packs]


def test_portions_are_as_large_as_packs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("transforms.annotations.unite_images.MAX_BOXES", 10)
    packs = [pack(*(image(file, CAT, DOG)._replace(file_name=f"{n}.jpg") for n in range(20))) for file in "ab"]
    shared = find_shared([read_names(item) for item in packs])
    assert shared.portions == 2 * 2 * 20 // 10
    parts = [part for item in packs for part in divide_pack(item, shared)]
    assert len({number for number, _ in parts}) > 2
    names = [
        entry.unpack().file_name
        for number in {number for number, _ in parts}
        for item in unite_portion(part for other, part in parts if other == number)
        for entry in decode_pack(item)
        if isinstance(entry, PackedImage)
    ]
    assert sorted(names) == sorted(f"{n}.jpg" for n in range(20))


def test_keys_keep_their_source() -> None:
    packs = [pack(image("a.json", CAT), namespace="one/"), pack(image("b.json", POSED), namespace="one/")]
    packs.append(pack(image("a.json", DOG), namespace="two/"))
    entries = [entry for item in unite_packs(packs) for entry in decode_pack(item)]
    assert sorted(entry.key for entry in entries if isinstance(entry, PackedImage)) == ["one/a.jpg", "two/a.jpg"]


def test_a_conflict_refuses_each_reading() -> None:
    """So that the sums of the plan close."""
    packs = [pack(image("a.json", CAT), namespace="one/"), pack(image("b.json", DOG, image_id="6"), namespace="one/")]
    (result,) = unite_packs(packs)
    refused = decode_pack(result)
    assert [type(entry) for entry in refused] == [Rejection, Rejection]
    assert {(r.key, r.reason, len(r.problems), r.annotation_file) for r in refused if isinstance(r, Rejection)} == {
        ("one/a.jpg", "dup_image_name", 1, "a.json"),
        ("one/a.jpg", "dup_image_name", 1, "b.json"),
    }
