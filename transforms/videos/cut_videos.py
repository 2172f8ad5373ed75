"""Probes videos and cuts them into segments, in Beam."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

import apache_beam as beam
from apache_beam.metrics import Metrics

from transforms.storage.paths import is_remote
from transforms.videos.cut_settings import CutSettings
from transforms.videos.deadline import TookTooLong, call_within
from transforms.videos.find_videos import VideoFile
from transforms.videos.probe import VideoProbe, describe, probe_video
from transforms.videos.reasons import VideoReason, VideoRefused
from transforms.videos.remote_videos import require_all_read, source_of
from transforms.videos.sources import fingerprint
from transforms.videos.video_parts import ProbedVideo, VideoPart

_videos_probed = Metrics.counter("boxmill", "videos_probed")
_frames_planned = Metrics.counter("boxmill", "frames_planned")


IsWanted = Callable[[ProbedVideo], bool]


def probe_file(file: VideoFile, settings: CutSettings) -> tuple[str, ProbedVideo]:
    """Probes one file; the key is the same for files of equal content.

    Raises:
      OSError: remote storage failed for good.
    """
    source = source_of(file.path)
    content = ""
    probe: VideoProbe | VideoRefused
    try:
        content = fingerprint(source)
        probe = call_within(
            lambda: probe_video(source, stream=settings.stream, max_pixels=settings.max_pixels), settings.limit_seconds
        )
        require_all_read(source)
    except TookTooLong as error:
        probe = VideoRefused(VideoReason.PROBE_TIMEOUT, str(error))
    except OSError as error:
        if is_remote(file.path) and not isinstance(error, FileNotFoundError | PermissionError):
            raise  # the storage failed, not the video: another run goes on from here
        probe = VideoRefused(VideoReason.VIDEO_UNREADABLE, describe(error))
    _videos_probed.inc()
    key = content or "unread " + hashlib.sha256(file.path.encode("utf-8", "surrogateescape")).hexdigest()
    return key, ProbedVideo((file.name,), file.path, content, probe)


def merge_equal(element: tuple[str, Iterable[ProbedVideo]]) -> tuple[str, ProbedVideo]:
    """Files of equal content are one video with several names."""
    key, probed = element
    videos = sorted(probed, key=lambda video: (video.names, video.path))
    names = tuple(sorted({name for video in videos for name in video.names}))
    first = videos[0]
    return key, ProbedVideo(names, first.path, first.fingerprint, first.probe)


def cut_video(element: tuple[str, ProbedVideo], settings: CutSettings, is_wanted: IsWanted) -> Iterator[VideoPart]:
    """The segments of a video; none of one that is refused or not wanted."""
    _, video = element
    probe = video.probe
    if isinstance(probe, VideoRefused) or not is_wanted(video):
        return
    aspect = 1 / probe.pixel_aspect if probe.quarter_turns % 2 else probe.pixel_aspect
    for spec in settings.segments(probe):
        _frames_planned.inc(len(spec.pts) - len(spec.skipped_pts))
        yield VideoPart(video.fingerprint, video.path, video.names[0], probe.width, probe.height, str(aspect), spec)


@dataclass
class ProbeVideos(beam.PTransform):
    """Files to ``(key, ProbedVideo)``, one for each content."""

    files: Sequence[VideoFile]
    settings: CutSettings

    def expand(self, root: beam.Pipeline) -> beam.PCollection[tuple[str, ProbedVideo]]:
        return (
            root
            | "Videos" >> beam.Create(self.files, reshuffle=False)
            | "Spread videos" >> beam.Reshuffle()
            | "Probe" >> beam.Map(probe_file, self.settings)
            | "Group by content" >> beam.GroupByKey()
            | "Merge equal" >> beam.Map(merge_equal)
        )


@dataclass
class CutVideos(beam.PTransform):
    """``(key, ProbedVideo)`` to the VideoParts of those that ``is_wanted`` says, spread over all workers."""

    settings: CutSettings
    is_wanted: IsWanted

    def expand(self, videos: beam.PCollection[tuple[str, ProbedVideo]]) -> beam.PCollection[VideoPart]:
        return (
            videos
            | "Cut" >> beam.FlatMap(cut_video, self.settings, self.is_wanted)
            | "Spread segments" >> beam.Reshuffle()
        )
