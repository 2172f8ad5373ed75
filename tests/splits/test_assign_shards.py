from __future__ import annotations

from dataclasses import replace

import pytest

from transforms.annotations.packs import PackedImage, decode_pack, encode_pack, pack_entry
from transforms.records import AnnotatedImage, Box, BoxProblem, DeclaredClasses, ObjectAnnotation, Rejection
from transforms.splits.assign_shards import assign_pack, index_pack
from transforms.splits.build_plan import BuildPlan, NothingToBuild, PlanSettings, make_plan
from transforms.splits.shard_plan import REJECTED, ShardSizing
from transforms.splits.split_fractions import SplitFractions
from transforms.splits.split_rule import SplitRule

SETTINGS = PlanSettings(SplitRule(SplitFractions.parse("train=0.5,val=0.5")), ShardSizing({"train": 3, "val": 3}), 1.0)


def planned(pack: bytes) -> BuildPlan:
    return make_plan([index_pack(pack, SETTINGS)], SETTINGS)


def test_each_image_goes_to_its_shard_once() -> None:
    names = [f"{number}.jpg" for number in range(100)]
    pack = encode_pack([DeclaredClasses((("cat", 4),)), *(pack_entry(AnnotatedImage(name)) for name in names)])
    plan = planned(pack)
    assigned = {}
    for key, part in assign_pack(pack, plan):
        for entry in decode_pack(part):
            assert isinstance(entry, PackedImage)
            assert plan.shards.shard_of(plan.shards.split_of(entry), entry.key) == key
            assigned[entry.key] = key
    assert set(assigned) == set(names)
    assert len(set(assigned.values())) == 6
    assert plan.class_ids.labels == {"cat": 4}


def test_images_of_one_name_are_refused_with_all_their_boxes() -> None:
    item = ObjectAnnotation(Box(0, 0, 1, 1), "cat", "5", "object 1")
    problem = BoxProblem("object 2", "", "", "dropped", "field_missing", "")
    remark = BoxProblem("object 1", "", "", "repaired", "dup_ann_id", "")
    twice = AnnotatedImage("a.jpg", "7", objects=(item,), problems=(problem, remark))
    pack = encode_pack([pack_entry(twice), pack_entry(AnnotatedImage("./a.jpg")), pack_entry(AnnotatedImage("b.jpg"))])
    parts = dict(assign_pack(pack, planned(pack)))
    first, second = decode_pack(parts[REJECTED])
    assert isinstance(first, Rejection)
    assert isinstance(second, Rejection)
    assert (first.reason, first.file_name, first.image_id, first.is_image) == ("dup_image_name", "a.jpg", "7", True)
    assert sorted((box.position, box.reason) for box in first.problems) == [
        ("object 1", "dup_image_name"),
        ("object 2", "field_missing"),
    ]
    assert second.problems == ()


def test_nothing_to_build_says_what_was_refused() -> None:
    pack = encode_pack([Rejection("annotation_unreadable", "no readable XML", annotation_file="a.xml")])
    with pytest.raises(NothingToBuild, match=r"a\.xml: no readable XML"):
        planned(pack)


def test_nothing_to_build_says_what_else_became_of_the_images() -> None:
    twice = encode_pack([pack_entry(AnnotatedImage("a.jpg"))] * 2)
    with pytest.raises(NothingToBuild, match=r"1 images have more than one annotation each; .*--sources"):
        planned(twice)
    settings = replace(SETTINGS, rule=SplitRule(None, takes_source=True))
    pack = encode_pack([pack_entry(AnnotatedImage("a.jpg"))])
    with pytest.raises(NothingToBuild, match="--splits=source finds no split for any of the 1 images"):
        make_plan([index_pack(pack, settings)], settings)
