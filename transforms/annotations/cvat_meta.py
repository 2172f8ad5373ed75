"""What a CVAT file says of itself in ``<meta>``: its classes, and the videos that its tracks are of."""

from __future__ import annotations

import posixpath
from collections.abc import Mapping
from dataclasses import dataclass, field
from xml.etree.ElementTree import Element

from transforms.annotations.fields import as_size, as_split
from transforms.annotations.refusals import Refused, as_class_name
from transforms.records import DeclaredClasses


@dataclass(frozen=True, slots=True)
class CvatTask:
    """A task: one video, or a list of images.

    Attributes:
      video: name of the video file, or "".
      width, height: of its frames, pixels.
      frame_step: every how manieth frame is annotated.
      split: of the task.
    """

    video: str = ""
    width: int | None = None
    height: int | None = None
    frame_step: int = 1
    split: str = ""


@dataclass(frozen=True, slots=True)
class CvatMeta:
    """Classes in the file's order, with positions from 1 as ids; names of skeletons' points; tasks by their ids.

    A file of a single task has it under the id "" as well.
    """

    classes: DeclaredClasses = field(default_factory=lambda: DeclaredClasses(()))
    keypoint_names: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    tasks: Mapping[str, CvatTask] = field(default_factory=dict)


def read_meta(meta: Element) -> CvatMeta:
    """Reads the ``<meta>`` element; what is missing or odd in it is left out."""
    names: list[str] = []
    points: dict[str, list[str]] = {}
    for label in meta.iter("label"):
        try:
            name = as_class_name(label.findtext("name"))
            parent = as_class_name(label.findtext("parent") or name)
        except Refused:
            continue
        if parent == name:
            names.append(name)
        else:
            points.setdefault(parent, []).append(name)
    keypoint_names = {name: tuple(points[name]) for name in dict.fromkeys(names) if name in points}
    ids = tuple((name, index) for index, name in enumerate(dict.fromkeys(names), start=1))
    elements = [element for tag in ("task", "job") for element in meta.iter(tag)]
    tasks = {(element.findtext("id") or "").strip(): _task(element) for element in elements}
    if len(elements) == 1:
        tasks[""] = _task(elements[0])
    return CvatMeta(DeclaredClasses(ids, tuple(keypoint_names.items())), keypoint_names, tasks)


def _task(element: Element) -> CvatTask:
    step = (element.findtext("frame_filter") or "").replace(" ", "").removeprefix("step=")
    return CvatTask(
        video=posixpath.basename((element.findtext("source") or "").strip().replace("\\", "/")),
        width=as_size(element.findtext("original_size/width")),
        height=as_size(element.findtext("original_size/height")),
        frame_step=as_size(step) or 1,
        split=as_split(element.findtext("subset")),
    )
