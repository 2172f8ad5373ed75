from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from transforms.annotations.packs import PackedImage, pack_entry
from transforms.records import AnnotatedImage, Rejection
from transforms.splits.reading_index import decimal_id, index_entries, order_hash
from transforms.splits.shard_plan import ShardKey, ShardPlan, ShardSizing, plan_shards
from transforms.splits.split_fractions import SplitFractions
from transforms.splits.split_rule import SplitRule

FRACTIONS = SplitFractions.parse("train=0.7,val=0.3")
RULE = SplitRule(FRACTIONS)
letters = st.characters(codec="ascii", categories=["Ll"])
names = st.lists(st.text(letters, min_size=1, max_size=6), unique=True, max_size=60)


def plan_of(images: list[AnnotatedImage], sizing: ShardSizing, packs: int = 1) -> ShardPlan:
    entries = [pack_entry(image) for image in images]
    indexes = [index_entries(entries[start::packs], RULE) for start in range(packs)]
    return plan_shards(indexes, RULE, sizing, 1000.0)


def shard_of(plan: ShardPlan, key: str) -> ShardKey:
    entry = pack_entry(AnnotatedImage(key))
    assert isinstance(entry, PackedImage)
    return plan.shard_of(plan.split_of(entry), key)


def images(keys: list[str]) -> list[AnnotatedImage]:
    return [AnnotatedImage(key) for key in keys]


@given(names, st.integers(1, 9), st.integers(1, 4))
def test_shards_are_even_complete_and_disjoint(keys: list[str], shards: int, packs: int) -> None:
    plan = plan_of(images(keys), ShardSizing({"train": shards, "val": shards}), packs)
    members = Counter(shard_of(plan, key) for key in keys)
    assert members.total() == len(keys)
    for split, starts in plan.starts.items():
        sizes = [members[split, number] for number in range(len(starts))]
        assert sum(sizes) == plan.planned[split] == sum(FRACTIONS.split_of(key) == split for key in keys)
        assert not sizes or min(sizes) >= 1
        assert not sizes or max(sizes) - min(sizes) <= 1
        assert len(starts) == min(shards, plan.planned[split])


@given(names, st.randoms())
def test_plan_does_not_depend_on_the_order_of_images(keys: list[str], random: object) -> None:
    shuffled = list(keys)
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    sizing = ShardSizing({"train": 3, "val": 2})
    assert plan_of(images(keys), sizing, 3).starts == plan_of(images(shuffled), sizing, 2).starts


@given(names, names)
def test_adding_images_moves_none_to_another_split(keys: list[str], more: list[str]) -> None:
    before = plan_of(images(keys), ShardSizing({"train": 2, "val": 2}))
    after = plan_of(images(sorted({*keys, *more})), ShardSizing({"train": 5, "val": 1}))
    assert {key: shard_of(before, key).split for key in keys} == {key: shard_of(after, key).split for key in keys}


@pytest.mark.parametrize(
    ("sizing", "images_of_split", "shards"),
    [
        (ShardSizing({"train": 8}), 100, 8),
        (ShardSizing({"train": 8}), 3, 3),
        (ShardSizing({"val": 8}, 30), 100, 4),
        (ShardSizing({}, 30), 90, 3),
        (ShardSizing({}, 30), 91, 4),
        (ShardSizing({}, None, 10_000), 100, 10),
        (ShardSizing({}, None, 128 << 20), 100, 1),
        (ShardSizing({}, None, 1), 100, 100),
    ],
)
def test_number_of_shards(sizing: ShardSizing, images_of_split: int, shards: int) -> None:
    assert sizing.shards("train", images_of_split, 1000.0) == shards


def test_repeated_names_are_found_across_packs_and_in_all_spellings() -> None:
    plan = plan_of(images(["a.jpg", "b.jpg", "./a.jpg", "c.jpg"]), ShardSizing(), packs=2)
    assert plan.repeated_keys == {order_hash("a.jpg")}
    assert sum(plan.planned.values()) == 2


def test_record_ids_are_the_sources_own_where_they_serve() -> None:
    ids = {"a": "12", "b": "0", "c": "7", "d": "007", "e": "", "f": "x1", "g": str(2**63), "h": "-1"}
    plan = plan_of([AnnotatedImage(key, image_id) for key, image_id in ids.items()], ShardSizing())
    record_ids = {key: plan.source_id(key, image_id) for key, image_id in ids.items()}
    assert (record_ids["a"], record_ids["b"]) == (12, 0)
    assert len(set(record_ids.values())) == len(ids)
    assert all(0 <= record_id < 2**63 for record_id in record_ids.values())
    assert plan.repeated_ids == {order_hash("c"), order_hash("d")}


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("0", 0),
        ("12", 12),
        (str(2**63 - 1), 2**63 - 1),
        (str(2**63), -1),
        ("-5", -1),
        ("", -1),
        ("1" * 5000, -1),
        ("²", -1),
    ],
)
def test_decimal_ids(text: str, number: int) -> None:
    assert decimal_id(text) == number


def test_counts_are_of_images_and_of_rejections() -> None:
    entries = [pack_entry(AnnotatedImage("a")), Rejection("r", "d"), Rejection("r", "d", is_image=False)]
    counts = index_entries(entries, RULE).counts
    assert (counts.images_read, counts.boxes_read) == (2, 0)
    assert counts.images_checksum == order_hash("a") + order_hash("")


def test_nothing_gives_an_empty_plan() -> None:
    plan = plan_shards([], RULE, ShardSizing(), 1.0)
    assert plan.starts == {"train": [], "val": []}
