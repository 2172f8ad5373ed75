from __future__ import annotations

import pickle
from fractions import Fraction
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from transforms.videos.probe import KeyFrame, VideoProbe
from transforms.videos.sampling import Sampling
from transforms.videos.segments import plan_segments


def _probe(pts: list[int], keys: list[int], *, splittable: bool = True) -> VideoProbe:
    return VideoProbe(
        container="matroska,webm",
        codec="h264",
        stream_index=0,
        time_base=Fraction(1, 1000),
        pts=tuple(pts),
        key_frames=tuple(KeyFrame(key, None) for key in keys),
        width=64,
        height=48,
        splittable=splittable,
    )


@st.composite
def probes(draw: st.DrawFn) -> VideoProbe:
    pts = sorted(draw(st.sets(st.integers(-500, 60_000), min_size=1, max_size=80)))
    keys = sorted(draw(st.sets(st.sampled_from(pts))))
    return _probe(pts, keys, splittable=draw(st.booleans()))


@settings(deadline=None, max_examples=40)
@given(probes(), st.floats(0.01, 100), st.integers(1, 9))
def test_segments_tile_the_video(probe: VideoProbe, seconds: float, stride: int) -> None:
    specs = plan_segments(probe, seconds, sampling=Sampling(stride=stride))
    assert [spec.index for spec in specs] == list(range(len(specs)))
    assert tuple(p for spec in specs for p in spec.pts) == probe.pts
    assert tuple(p for spec in specs for p in spec.key_pts) == tuple(key.pts for key in probe.key_frames)
    assert tuple(p for spec in specs for p in spec.skipped_pts) == tuple(
        p for rank, p in enumerate(probe.pts) if rank % stride
    )
    assert specs[0].start is None
    assert specs[-1].end_pts is None
    for spec, following in pairwise(specs):
        assert spec.end_pts == following.start_pts
        assert following.start is not None
        assert following.start.pts == following.start_pts == following.pts[0]
        assert (following.start_pts - spec.start_pts) * probe.time_base >= Fraction(seconds)
    for spec in specs:
        assert probe.pts[spec.first_frame_index] == spec.pts[0]
        assert all(spec.start_pts <= p for p in spec.pts)
        assert spec.end_pts is None or all(p < spec.end_pts for p in spec.pts)


def test_a_video_that_cannot_be_split_is_one_segment() -> None:
    pts = list(range(0, 60_000, 100))
    assert len(plan_segments(_probe(pts, pts), 1)) == 60
    assert len(plan_segments(_probe(pts, pts, splittable=False), 1)) == 1


def test_specs_are_small() -> None:
    minute = list(range(0, 60_000, 33))
    specs = plan_segments(_probe(minute, minute[::30]), 30)
    assert [spec.name for spec in specs] == ["0-30690", "30690-end"]
    assert all(len(pickle.dumps(spec)) < 10 * len(spec.pts) for spec in specs)


@pytest.mark.parametrize("seconds", [0, -1])
def test_senseless_lengths_are_refused(seconds: float) -> None:
    with pytest.raises(ValueError, match="segment_seconds"):
        plan_segments(_probe([0], [0]), seconds)
