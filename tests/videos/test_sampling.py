from __future__ import annotations

from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from transforms.videos.sampling import Sampling, skipped_pts

MS = Fraction(1, 1000)
ASCENDING = st.lists(st.integers(0, 100_000), min_size=1, unique=True).map(sorted)


def _kept(pts: list[int], sampling: Sampling) -> list[int]:
    skipped = set(skipped_pts(pts, MS, sampling))
    return [p for p in pts if p not in skipped]


@pytest.mark.parametrize(
    ("sampling", "kept"),
    [
        (Sampling(), [0, 40, 80, 120, 500, 1010]),
        (Sampling(stride=2), [0, 80, 500]),
        (Sampling(stride=99), [0]),
        (Sampling(fps=Fraction(10)), [0, 120, 500, 1010]),
        (Sampling(fps=Fraction(1)), [0, 1010]),
        (Sampling(fps=Fraction(1000)), [0, 40, 80, 120, 500, 1010]),
    ],
)
def test_policies(sampling: Sampling, kept: list[int]) -> None:
    assert _kept([0, 40, 80, 120, 500, 1010], sampling) == kept


def test_fps_counts_from_the_first_frame() -> None:
    assert _kept([990, 1010, 1980, 1995], Sampling(fps=Fraction(1))) == [990, 1995]


@settings(deadline=None, max_examples=40)
@given(ASCENDING, st.integers(1, 50))
def test_stride_keeps_every_nth(pts: list[int], stride: int) -> None:
    assert _kept(pts, Sampling(stride=stride)) == pts[::stride]


@settings(deadline=None, max_examples=40)
@given(ASCENDING, st.fractions(Fraction(1, 10), 60))
def test_fps_keeps_one_frame_in_each_period_that_has_any(pts: list[int], fps: Fraction) -> None:
    periods = [int((p - pts[0]) * MS * fps) for p in pts]
    assert [int((p - pts[0]) * MS * fps) for p in _kept(pts, Sampling(fps=fps))] == sorted(set(periods))


@pytest.mark.parametrize(
    ("stride", "fps", "words"),
    [(0, None, "stride is 0"), (1, Fraction(0), "fps is 0"), (2, Fraction(5), "one of them")],
)
def test_senseless_policies_are_refused(stride: int, fps: Fraction | None, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        Sampling(stride=stride, fps=fps)
