"""Tracks of CVAT's video tasks, as the images that a video's frames are.

CVAT lists a track's shape for each frame, or, in older files, for key frames only: boxes between two listed frames are
interpolated on a line, as CVAT shows them. A track is not in the picture from a shape that is ``outside`` to its next;
after its last shape it ends. Frames in which nothing is visible are not listed by the format and are no images here.

**Names.** The format names no files. Frame 7 of a task is taken to be ``frame_000007`` with any image extension, beside
the annotation file or in ``images``, as CVAT itself saves frames.
"""

from __future__ import annotations

from collections.abc import Iterator
from xml.etree.ElementTree import Element

from transforms.annotations.cvat_meta import CvatMeta, CvatTask
from transforms.annotations.cvat_shapes import read_shape
from transforms.annotations.fields import FieldError, as_flag, as_int64, as_split, clean_name, quote
from transforms.annotations.refusals import Refused, as_class_name, problem_of
from transforms.annotations.source_files import SourceFile
from transforms.annotations.spilled_groups import SpilledGroups
from transforms.ledger.reasons import Reason
from transforms.records import Box, BoxProblem, ObjectAnnotation, Reading, Rejection

MAX_GAP_FRAMES = 10_000
Shape = tuple[int, Element]


class Tracks:
    """Brings the shapes of all tracks together by frame, in bounded memory."""

    def __init__(self, file: SourceFile):
        self._file = file
        self._groups = SpilledGroups()
        self._count = 0

    def add(self, track: Element, meta: CvatMeta) -> Iterator[Rejection]:
        """Takes one track in; yields the shapes that are in no frame."""
        self._count += 1
        track_id = clean_name(track.get("id") or str(self._count))
        task_id = clean_name(track.get("task_id") or "")
        task = meta.tasks.get(task_id, CvatTask())
        split = as_split(track.get("subset")) or task.split
        name, refusal = "", None
        try:
            name = as_class_name(track.get("label"))
        except Refused as error:
            refusal = error
        last: tuple[int, ObjectAnnotation] | None = None
        shapes, lost = _by_frame(track, name, f"track {track_id}")
        if lost:
            yield self._orphans(lost)
        for frame, element in shapes:
            position = f"track {track_id}, frame {frame}"
            is_outside = as_flag(element.get("outside")) is True
            try:
                if refusal is not None:
                    raise refusal
                item = read_shape(element, name, position, meta.keypoint_names, track_id)
            except FieldError as error:
                last = None
                if not is_outside:
                    self._append(task_id, split, frame, problem_of(error, position, name))
                continue
            for between, box in _between(last, (frame, item), task.frame_step):
                placed = item._replace(box=box, position=f"track {track_id}, frame {between}")
                self._append(task_id, split, between, placed)
            if not is_outside:
                self._append(task_id, split, frame, item)
            last = None if is_outside else (frame, item)

    def _append(self, task_id: str, split: str, frame: int, found: ObjectAnnotation | BoxProblem) -> None:
        self._groups.append(f"{frame} {task_id}", (task_id, split, frame, found))

    def _orphans(self, problems: tuple[BoxProblem, ...]) -> Rejection:
        context = self._file.context
        return Rejection(
            Reason.ORPHAN_ANNOTATION,
            problems[0].detail,
            is_image=False,
            problems=problems,
            source=context.source,
            annotation_file=context.annotation_file,
        )

    def readings(self, meta: CvatMeta) -> Iterator[Reading]:
        """Yields the frames."""
        for _, entries in self._groups.groups():
            task_id, split, frame, _ = entries[0]
            task = meta.tasks.get(task_id, CvatTask())
            found = [entry[3] for entry in entries]
            yield self._file.image(
                f"frame_{frame:06d}",
                f"frame {frame}",
                is_named_by_file=True,
                width=task.width,
                height=task.height,
                objects=tuple(item for item in found if isinstance(item, ObjectAnnotation)),
                problems=tuple(item for item in found if isinstance(item, BoxProblem)),
                split=split,
                fields=tuple((key, value) for key, value in (("video", task.video), ("task", task_id)) if value),
            )


def _by_frame(track: Element, name: str, place: str) -> tuple[list[Shape], tuple[BoxProblem, ...]]:
    """The shapes of a track in order of frames, and those whose frame cannot be told."""
    shapes: list[Shape] = []
    lost: list[BoxProblem] = []
    for index, element in enumerate(element for element in track if element.tag != "attribute"):
        frame = as_int64(element.get("frame", "").strip())
        if frame is not None and frame >= 0:
            shapes.append((frame, element))
            continue
        detail = f"the frame of {place}, shape {index + 1} is {quote(element.get('frame'))}"
        lost.append(BoxProblem(f"{place}, shape {index + 1}", "", name, "dropped", Reason.ORPHAN_ANNOTATION, detail))
    return sorted(shapes, key=lambda shape: shape[0]), tuple(lost)


def _between(
    before: tuple[int, ObjectAnnotation] | None, after: tuple[int, ObjectAnnotation], step: int
) -> Iterator[tuple[int, Box]]:
    """Boxes of the annotated frames between two that are listed; none between shapes of other kinds."""
    if before is None or before[1].mask or after[1].mask or before[1].keypoints or after[1].keypoints:
        return
    first, last = before[0], after[0]
    if last - first > MAX_GAP_FRAMES * step:
        return
    for frame in range(first + step, last, step):
        share = (frame - first) / (last - first)
        edges = zip(before[1].box, after[1].box, strict=True)
        yield frame, Box(*(start + share * (end - start) for start, end in edges))
