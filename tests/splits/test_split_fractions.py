from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from transforms.splits.split_fractions import SplitFractions, key_hash

HALVES = SplitFractions.parse("train=0.5,val=0.5")
keys = st.text(max_size=20)


@given(keys)
def test_split_depends_on_the_key_alone(key: str) -> None:
    assert HALVES.split_of(key) == SplitFractions.parse("train=0.5,val=0.5").split_of(key)


@given(keys, st.sampled_from([0.1, 0.5, 0.9]), st.sampled_from([0.05, 0.02]))
def test_last_split_made_smaller_moves_images_in_one_direction(key: str, share: float, more: float) -> None:
    before = SplitFractions(("train", "val"), (share, 1 - share))
    after = SplitFractions(("train", "val"), (share + more, 1 - share - more))
    assert (before.split_of(key), after.split_of(key)) != ("train", "val")


def test_hashes_are_what_they_were_in_the_first_release() -> None:
    assert key_hash("a.jpg", "split") == 0xC1D25ECF75DDE287
    assert key_hash("한글.jpg", "order") == 0x01AD2806693F7133


def test_shares_are_met() -> None:
    fractions = SplitFractions.parse("train=0.7,val=0.2,test=0.1")
    counts = Counter(fractions.split_of(f"images/{number:06d}.jpg") for number in range(20_000))
    for name, share in zip(fractions.names, fractions.shares, strict=True):
        assert counts[name] / 20_000 == pytest.approx(share, abs=0.01)


def test_purposes_are_independent() -> None:
    both = Counter((key_hash(str(n), "split") >> 63, key_hash(str(n), "order") >> 63) for n in range(4000))
    assert min(both.values()) > 850


def test_parsing() -> None:
    assert SplitFractions.parse("a=1") == SplitFractions(("a",), (1.0,))
    assert SplitFractions.parse(" a=0.5 , b=5e-1") == SplitFractions(("a", "b"), (0.5, 0.5))
    assert SplitFractions.parse("a=0.1,b=0.2,c=0.7").names == ("a", "b", "c")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "not NAME=SHARE"),
        ("train", "not NAME=SHARE"),
        ("1=1", "not NAME=SHARE"),
        ("a-b=1", "not NAME=SHARE"),
        ("한글=1", "not NAME=SHARE"),
        ("../x=1", "not NAME=SHARE"),
        ("a=x", "no number"),
        ("a=0,b=1", "above 0"),
        ("a=-1,b=2", "above 0"),
        ("a=nan", "above 0"),
        ("a=0.5,a=0.5", "given twice"),
        ("a=0.5,b=0.4", "sum to 0.9"),
    ],
)
def test_what_is_refused(text: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        SplitFractions.parse(text)
