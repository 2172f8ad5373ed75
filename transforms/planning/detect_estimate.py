"""What ``boxmill detect`` takes: its stages from counts, bytes and rates."""

from __future__ import annotations

from dataclasses import dataclass

from transforms.planning.stages import Stage

# Beam, PyAV and TensorFlow with a small model; Beam and PyAV alone.
MODEL_WORKER_BYTES = 900e6
WORKER_BYTES = 250e6
# Frames that are decoded ahead of the model, or are in it, take so much at most: see
# transforms/detectors/segment_detection.py.
AHEAD_BYTES = 2 * 256 * 2**20
# In the description of a job, compressed: a video's names, size and time.
GRAPH_VIDEO_BYTES = 14.0
# Of the commit: a video's entry in the manifest over all of them.
COMMIT_VIDEO_SECONDS = 50e-6
COMMIT_VIDEO_BYTES = 5_000.0
# Its manifest, and its entry in the manifest of the run.
VIDEO_MANIFEST_BYTES = 2_600.0
# Of the store: findings of a segment.
REQUESTS_PER_VIDEO = 6


@dataclass(frozen=True, slots=True)
class DetectVolumes:
    """How much there is.

    Attributes:
      videos: that can be used.
      video_bytes: of all files.
      largest_video: bytes of the largest file.
      frames: of all videos; ``processed``: that the model sees.
      segments: into which videos are cut.
      longest_segment: frames that the model sees of the longest one.
      frame_bytes: of a decoded frame, the largest.
      frame_result_bytes: of results, for each frame; ``processed_result_bytes``: for each that the model sees.
      video_result_bytes, segment_result_bytes: for each video and each segment, however short.
    """

    videos: float
    video_bytes: float
    largest_video: float
    frames: float
    processed: float
    segments: float
    longest_segment: float
    frame_bytes: float
    frame_result_bytes: float = 0.0
    processed_result_bytes: float = 0.0
    video_result_bytes: float = 0.0
    segment_result_bytes: float = 0.0

    @property
    def output_bytes(self) -> float:
        return (
            self.frames * self.frame_result_bytes
            + self.processed * self.processed_result_bytes
            + self.videos * (self.video_result_bytes + VIDEO_MANIFEST_BYTES)
            + self.segments * self.segment_result_bytes
        )

    @property
    def shuffle_bytes(self) -> float:
        """Of the times of frames, which segments travel with (those left out twice), and the places of findings."""
        return 5 * (2 * self.frames - self.processed) + 600 * self.segments + 1000 * self.videos

    @property
    def reads(self) -> float:
        """Requests: a video is read through twice to probe it (digest and packets), and once in segments."""
        return 4 * self.videos + 2 * self.segments

    @property
    def writes(self) -> float:
        return REQUESTS_PER_VIDEO * self.videos + self.segments


@dataclass(frozen=True, slots=True)
class DetectRates:
    """Seconds on one worker.

    Attributes:
      probe_byte: to read a video through for its digest and its packets.
      frame: from decoding to the findings, for a frame that the model sees.
      finish_frame: to write the tables and exports, for a frame.
      load_model: once for each worker.
    """

    probe_byte: float
    frame: float
    finish_frame: float
    load_model: float


def detect_stages(volumes: DetectVolumes, rates: DetectRates) -> list[Stage]:
    """The stages of a detection run, in order; every worker also loads the model."""
    probing, inference = volumes.video_bytes * rates.probe_byte, volumes.processed * rates.frame
    finishing = volumes.frames * rates.finish_frame
    per_video = finishing / max(1.0, volumes.videos)
    videos, segments = max(1, round(volumes.videos)), max(1, round(volumes.segments))
    largest = volumes.largest_video / max(1.0, volumes.video_bytes)
    return [
        Stage(
            "probe videos",
            probing,
            videos,
            f"{videos:,} videos, each read through by one worker",
            volumes.largest_video * rates.probe_byte,
            WORKER_BYTES,
        ),
        Stage(
            "detect segments",
            inference,
            segments,
            f"{segments:,} segments, each by one worker (--segment_seconds)",
            volumes.longest_segment * rates.frame,
            MODEL_WORKER_BYTES + min(AHEAD_BYTES, 32 * volumes.frame_bytes) + 16 * volumes.frame_bytes,
        ),
        Stage(
            "finish videos",
            finishing,
            videos,
            f"{videos:,} videos, each finished by one worker",
            max(per_video, finishing * largest),
            WORKER_BYTES,
        ),
        Stage(
            "commit",
            volumes.videos * COMMIT_VIDEO_SECONDS,
            1,
            "one worker writes the manifest over all videos",
            memory=WORKER_BYTES + volumes.videos * COMMIT_VIDEO_BYTES,
        ),
    ]
