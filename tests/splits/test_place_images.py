"""Splits that depend on other images: groups of pictures stay together, shares of rare classes are kept."""

from __future__ import annotations

import random
from collections import Counter, defaultdict

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from transforms.annotations.packs import PackedImage, pack_entry
from transforms.records import AnnotatedImage, Box, ObjectAnnotation
from transforms.splits.content_groups import PictureHashes, group_pictures
from transforms.splits.reading_index import index_entries, order_hash
from transforms.splits.shard_plan import ShardPlan, ShardSizing, plan_shards
from transforms.splits.split_fractions import SplitFractions, key_hash
from transforms.splits.split_rule import SplitKey, SplitRule

FRACTIONS = SplitFractions.parse("train=0.8,val=0.2")
CONTENT = SplitRule(FRACTIONS, SplitKey("content"), takes_source=True)
BALANCED = SplitRule(FRACTIONS, is_balanced=True)
DISTANCE = 3
Pictures = dict[str, tuple[int, int]]
"""For each name the digest and the perceptual hash of its picture."""


def splits_of(images: list[AnnotatedImage], rule: SplitRule, pictures: Pictures | None = None) -> dict[str, str]:
    entries = [entry for image in images if isinstance(entry := pack_entry(image), PackedImage)]
    hashes = None
    if pictures is not None:
        columns = zip(*((order_hash(name), *pair) for name, pair in pictures.items()), strict=True)
        hashes = PictureHashes.joined([PictureHashes(*(np.array(column, np.uint64) for column in columns))])
    indexes = [index_entries(entries[start::2], rule) for start in range(2)]
    plan: ShardPlan = plan_shards(indexes, rule, ShardSizing(), 1.0, {}, hashes, DISTANCE)
    return {entry.key: plan.split_of(entry) for entry in entries}


def groups_of(pictures: Pictures) -> dict[str, set[str]]:
    """Each name and those that its picture hangs together with, by comparing all."""
    groups = {name: {name} for name in pictures}
    for a, (digest_a, near_a) in pictures.items():
        for b, (digest_b, near_b) in pictures.items():
            is_near = near_a and near_b and (near_a ^ near_b).bit_count() <= DISTANCE
            if (digest_a == digest_b or is_near) and groups[a] is not groups[b]:
                groups[a] |= groups[b]
                for name in groups[b]:
                    groups[name] = groups[a]
    return groups


PICTURES = st.dictionaries(
    st.text(st.characters(codec="ascii", categories=["Ll"]), min_size=1, max_size=3),
    st.tuples(st.integers(0, 12), st.sampled_from([0, *(1 << bit for bit in range(0, 60, 3)), 7, 63, 2**40 + 2**50])),
    min_size=2,
    max_size=25,
)


@settings(max_examples=150, deadline=None)
@given(PICTURES, st.data())
def test_an_added_image_moves_only_images_of_its_own_group(pictures: Pictures, data: st.DataObject) -> None:
    """What is promised of growing data; and that no group straddles two splits."""
    added = data.draw(st.sets(st.sampled_from(sorted(pictures)), max_size=len(pictures) - 1))
    old = {name: pair for name, pair in pictures.items() if name not in added}
    before = splits_of([AnnotatedImage(name) for name in old], CONTENT, old)
    after = splits_of([AnnotatedImage(name) for name in pictures], CONTENT, pictures)
    groups = groups_of(pictures)
    for name in pictures:
        assert len({after[member] for member in groups[name]}) == 1
    for name in old:
        assert before[name] == after[name] or groups[name] & added


@settings(deadline=None)
@given(st.dictionaries(st.text("abc", min_size=1, max_size=4), st.integers(0, 9), min_size=2))
def test_copies_of_the_same_bytes_never_move_anything(digests: dict[str, int]) -> None:
    pictures = {name: (digest, 0) for name, digest in digests.items()}
    some = dict(list(pictures.items())[: len(pictures) // 2 + 1])
    before = splits_of([AnnotatedImage(name) for name in some], CONTENT, some)
    after = splits_of([AnnotatedImage(name) for name in pictures], CONTENT, pictures)
    assert before == {name: after[name] for name in some}


def test_shares_of_groups_are_met() -> None:
    """Also of large groups: the smallest of their hashes says nothing of the split."""
    pictures = {
        f"{group}-{copy}": (key_hash(f"{group}{copy}", "d"), group + 1) for group in range(900) for copy in "abc"
    }
    pictures = {name: (digest, key_hash(str(near), "n")) for name, (digest, near) in pictures.items()}
    splits = splits_of([AnnotatedImage(name) for name in pictures], CONTENT, pictures)
    assert Counter(splits.values())["val"] / len(splits) == pytest.approx(0.2, abs=0.04)


def test_a_group_follows_the_split_that_its_source_gives() -> None:
    pictures = {f"{n}.jpg": (n // 3, 0) for n in range(60)}
    images = [AnnotatedImage(name, split="val" if n % 3 == 1 else "") for n, name in enumerate(pictures)]
    assert set(splits_of(images, CONTENT, pictures).values()) == {"val"}


def test_pictures_that_cannot_be_read_are_split_by_name() -> None:
    splits = splits_of([AnnotatedImage(f"{n}.jpg") for n in range(50)], CONTENT, {"0.jpg": (1, 0)})
    assert {name: FRACTIONS.split_of(name) for name in splits if name != "0.jpg"}.items() <= splits.items()


def test_only_equal_bytes_count_below_distance_zero() -> None:
    digests, near = np.array([5, 5, 6, 7], np.uint64), np.array([1, 1, 1, 3], np.uint64)
    assert group_pictures(digests, near, -1).tolist() == [0, 0, 1, 2]
    assert group_pictures(digests, near, 0).tolist() == [0, 0, 0, 2]
    assert group_pictures(digests, near, 1).tolist() == [0, 0, 0, 0]


def of_classes(name: str, *classes: str) -> AnnotatedImage:
    return AnnotatedImage(name, objects=tuple(ObjectAnnotation(Box(0, 0, 1, 1), item) for item in classes))


def sample(count: int, seed: int = 0) -> list[AnnotatedImage]:
    """Classes from one that nearly all images have to one that a hundredth has."""
    chance = random.Random(seed)
    shares = {"common": 0.9, "some": 0.2, "rare": 0.05, "rarest": 0.01}
    return [
        of_classes(f"{n}.jpg", *(c for c, share in shares.items() if chance.random() < share)) for n in range(count)
    ]


def val_share(images: list[AnnotatedImage], splits: dict[str, str]) -> dict[str, tuple[int, int]]:
    """For each class that images count for: how many images in val, and how many in all."""
    totals = Counter(item.class_name for image in images for item in image.objects)
    rarest = {i.file_name: min((o.class_name for o in i.objects), key=lambda c: totals[c], default="") for i in images}
    found: defaultdict[str, list[int]] = defaultdict(lambda: [0, 0])
    for name, class_name in rarest.items():
        found[class_name][0] += splits[name] == "val"
        found[class_name][1] += 1
    return {name: (val, total) for name, (val, total) in found.items()}


@pytest.mark.parametrize("seed", range(5))
def test_each_class_has_its_share(seed: int) -> None:
    images = sample(1000, seed)
    for val, total in val_share(images, splits_of(images, BALANCED)).values():
        assert abs(val - 0.2 * total) <= max(0.5, 0.1 * 0.2 * total) + 1e-9


def test_three_images_of_a_class_reach_both_splits() -> None:
    for prefix in "abcdefgh":
        images = [of_classes(f"{prefix}{n}.jpg", "cat") for n in range(3)]
        assert Counter(splits_of(images, BALANCED).values()) == {"train": 2, "val": 1}


def test_growing_data_moves_few_images_and_only_those_between_the_cuts() -> None:
    images = sample(4000)
    before, after = splits_of(images[:2000], BALANCED), splits_of(images, BALANCED)
    moved = [name for name in before if before[name] != after[name]]
    assert len(moved) < 0.02 * len(before)
    for name in moved:
        assert abs(key_hash(name, "split") / 2**64 - 0.8) < 0.2
    plain = splits_of(images, SplitRule(FRACTIONS))
    assert sum(plain[name] != after[name] for name in after) < 0.03 * len(after)


def test_order_of_images_does_not_matter() -> None:
    images = sample(300)
    assert splits_of(images, BALANCED) == splits_of(images[::-1], BALANCED)


def test_a_group_is_not_cut() -> None:
    rule = SplitRule(FRACTIONS, SplitKey("group", r"^\d"), is_balanced=True)
    images = [of_classes(f"{n % 10}-{n}.jpg", "cat") for n in range(200)]
    splits = splits_of(images, rule)
    assert all(len({split for name, split in splits.items() if name[0] == digit}) == 1 for digit in "0123456789")
    assert Counter(splits.values()) == {"train": 160, "val": 40}


def test_classes_that_the_dataset_has_not_do_not_count() -> None:
    images = [of_classes(f"{n}.jpg", "cat", *(["odd"] if n % 7 == 0 else [])) for n in range(300)]
    rule = SplitRule(FRACTIONS, is_balanced=True, classes=frozenset({"cat"}))
    without = [of_classes(f"{n}.jpg", "cat") for n in range(300)]
    assert splits_of(images, rule) == splits_of(without, BALANCED)
