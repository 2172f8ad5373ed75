"""What a segment gives besides detections while its frames are in memory: drawn video, and records with images."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from fractions import Fraction
from pathlib import PurePath
from typing import BinaryIO

from transforms.detections.annotated_segments import SegmentEncoder
from transforms.detections.detect_settings import DetectSettings
from transforms.detections.drawing import draw_detections
from transforms.detections.frame_records import frame_example
from transforms.detections.output_folder import OutputFolder, whole_file
from transforms.detections.segment_findings import FrameRows
from transforms.detections.tables import VideoFacts
from transforms.videos.decoding import DecodedFrame

DRAWN, RECORDS = "drawn", "records"

Sink = Callable[[DecodedFrame, FrameRows], None]
"""Takes a frame and its stored detections, in the order of the frames."""


def product_files(folder: OutputFolder, fingerprint: str, segment: str, settings: DetectSettings) -> Mapping[str, str]:
    """The file of each product that the settings ask for."""
    files = {}
    if settings.annotated_video:
        files[DRAWN] = folder.drawn(fingerprint, segment, settings)
    if "tfrecord" in settings.exports:
        files[RECORDS] = folder.records(fingerprint, segment, settings)
    return files


@contextmanager
def writing_products(
    files: Mapping[str, str], facts: VideoFacts, pixel_aspect: Fraction, settings: DetectSettings
) -> Iterator[Sink]:
    """Within the block, the sink writes to each of the files; they appear, whole, at its end."""
    with ExitStack() as stack:
        sinks: list[Sink] = []
        if DRAWN in files:
            path = stack.enter_context(whole_file(files[DRAWN]))
            encoder = SegmentEncoder(path, facts.width, facts.height, facts.time_base, pixel_aspect=pixel_aspect)
            sinks.append(_drawing(stack.enter_context(encoder), settings))
        if RECORDS in files:
            path = stack.enter_context(whole_file(files[RECORDS]))
            sinks.append(_recording(stack.enter_context(open(path, "wb")), facts, settings))

        def write(frame: DecodedFrame, rows: FrameRows) -> None:
            for sink in sinks:
                sink(frame, rows)

        yield write


def _drawing(encoder: SegmentEncoder, settings: DetectSettings) -> Sink:
    def draw(frame: DecodedFrame, rows: FrameRows) -> None:
        shown = rows.above(settings.min_score)
        names = [settings.labels.get(class_id, f"class_{class_id}") for class_id in shown.classes.tolist()]
        pixels = draw_detections(
            frame.pixels,
            shown.boxes,
            shown.scores,
            shown.classes,
            names,
            masks=shown.masks,
            keypoints=shown.keypoints,
            font_path=settings.font.path if settings.font else None,
        )
        encoder.write(frame.pts, pixels)

    return draw


def _recording(records: BinaryIO, facts: VideoFacts, settings: DetectSettings) -> Sink:
    stem = PurePath(facts.video).stem

    def record(frame: DecodedFrame, rows: FrameRows) -> None:
        records.writelines(
            frame_example(
                frame,
                rows.above(settings.min_score),
                settings.labels,
                stem,
                as_annotations=settings.as_annotations,
            )
        )

    return record
