"""What gives an image its split."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from transforms.annotations.packs import PackedImage, pack_entry
from transforms.records import AnnotatedImage
from transforms.splits.split_fractions import SplitFractions
from transforms.splits.split_rule import SplitKey, SplitRule, in_order

HALVES = SplitFractions.parse("train=0.5,val=0.5")
NAMES = st.text(st.characters(codec="utf-8", exclude_characters="\0\\:"), min_size=1, max_size=12)


def packed(name: str, source: str = "s", split: str = "", namespace: str = "", **fields: str) -> PackedImage:
    image = AnnotatedImage(name, source=source, split=split, fields=tuple(fields.items()))
    entry = pack_entry(image, namespace)
    assert isinstance(entry, PackedImage)
    return entry


@pytest.mark.parametrize(
    ("text", "key"),
    [
        ("image", SplitKey()),
        ("content", SplitKey("content")),
        ("group:^(.*?)_", SplitKey("group", "^(.*?)_")),
        ("group:a:b", SplitKey("group", "a:b")),
        ("field:scene", SplitKey("field", "scene")),
    ],
)
def test_parsing(text: str, key: SplitKey) -> None:
    assert SplitKey.parse(text) == key


@pytest.mark.parametrize("text", ["", "images", "group", "group:", "field:", "image:x", "content:3", "group:("])
def test_what_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"is not image, group|no regular expression"):
        SplitKey.parse(text)


@pytest.mark.parametrize(
    ("pattern", "name", "group"),
    [
        ("[0-9]+", "cam7/0042.jpg", "7"),
        (r"^(\w+)/", "cam7/0042.jpg", "cam7"),
        (r"^(\w+)_(\d)", "ab_3.jpg", "ab\0003"),
        (r"^(a)?(b)", "b.jpg", "\0b"),
        ("x", "cam7/0042.jpg", None),
    ],
)
def test_group_is_what_matches(pattern: str, name: str, group: str | None) -> None:
    assert SplitKey("group", pattern).find(name, ()) == group


@given(st.lists(NAMES, min_size=2, max_size=30, unique=True), st.sampled_from(["a", "b", "c"]))
def test_a_group_is_in_one_split(names: list[str], group: str) -> None:
    rule = SplitRule(HALVES, SplitKey("field", "scene"))
    assert len({rule.split_of(packed(name, scene=group)) for name in names}) == 1


def test_groups_spread_over_the_splits_and_have_nothing_to_do_with_names() -> None:
    rule = SplitRule(HALVES, SplitKey("group", r"^\d+"))
    splits = [rule.split_of(packed(f"{n}_x.jpg")) for n in range(400)]
    assert 150 < splits.count("train") < 250
    alone = [SplitRule(HALVES).split_of(packed(str(n))) for n in range(400)]
    assert 150 < sum(a == b for a, b in zip(splits, alone, strict=True)) < 250


@given(NAMES)
def test_sources_beside_it_do_not_move_an_image(name: str) -> None:
    alone = SplitRule(HALVES).split_of(packed(name))
    assert SplitRule(HALVES, is_mixed=True).split_of(packed(name, namespace="s/")) == alone


def test_what_is_given_comes_before_any_hash() -> None:
    rule = SplitRule(HALVES, takes_source=True, fixed={"held": "test"})
    assert rule.names == ("train", "val", "test")
    assert rule.split_of(packed("a.jpg", "held", "val")) == "test"
    assert [rule.split_of(packed(f"{n}.jpg", "s", "odd")) for n in range(9)] == ["odd"] * 9
    assert {rule.split_of(packed(f"{n}.jpg")) for n in range(99)} == {"train", "val"}
    assert SplitRule(HALVES).split_of(packed("a.jpg", split="odd")) in ("train", "val")


def test_nothing_is_hashed_without_shares() -> None:
    rule = SplitRule(None, takes_source=True)
    assert (rule.names, rule.split_of(packed("a.jpg"))) == ((), "")
    assert rule.split_of(packed("a.jpg", split="val")) == "val"


def test_order_of_splits() -> None:
    assert in_order(["test", "b", "val", "a", "train", "val"]) == ["train", "val", "test", "a", "b"]
