"""Label Studio JSON (its full export, not "JSON-MIN"): an array of tasks, an image each.

Format: https://labelstud.io/guide/export and .../task_format – coordinates are percent of the picture; ``rotation`` is
in degrees, clockwise about the top-left corner of a rectangle or the centre of an ellipse; results that share an
``id`` are one region. The file is streamed.

**Which annotation.** A task may have several. The one marked as ground truth counts, else the one updated last;
cancelled ones never do. The regions of the others are listed as dropped. **Names** are those of ``data``'s image URL;
where the upload's own name with its prefix of eight digits is not there, the name without it is looked for.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, BinaryIO

from transforms.annotations.fields import FieldError, as_flag, as_id, as_size
from transforms.annotations.image_urls import name_of_url
from transforms.annotations.json_objects import Entry, as_entry, as_list, read_array, text_of
from transforms.annotations.json_outline import outline
from transforms.annotations.label_studio_shapes import read_shape
from transforms.annotations.refusals import as_class_name, problem_of, refuse_image
from transforms.annotations.source_files import SourceFile, read_streamed
from transforms.images.image_names import IMAGE_SUFFIXES
from transforms.ledger.reasons import Reason
from transforms.records import (
    AnnotatedImage,
    BoxProblem,
    ImageLabel,
    ObjectAnnotation,
    ReadContext,
    Reading,
)

SUFFIXES = (".json",)
FILES_PER_UNIT = 1
_UPLOAD_PREFIX = re.compile(r"^[0-9a-f]{8}-(?=.)")
# Results that say words and no shapes; those of the whole picture become labels and captions.
_WORDS = ("choices", "textarea", "taxonomy", "rating", "number", "datetime", "relation", "pairwise", "ranker")
_ANNOTATIONS = ("annotations", "completions")  # completions: before version 1.0


def sniff(head: bytes) -> bool:
    """Whether the first bytes of a file are an array of tasks with data and annotations."""
    found = outline(head)
    has_annotations = any(found.has(**{key: "["}) for key in _ANNOTATIONS)
    is_task = found.has(data="{") or not found.inner.keys().isdisjoint(("result", "completed_by", "was_cancelled"))
    return found.kind == "array" and has_annotations and is_task


def read(stream: BinaryIO, context: ReadContext) -> Iterator[Reading]:
    """Reads one export; what cannot be read is a Rejection or a BoxProblem, never an exception."""
    return read_streamed(stream, context, "Label Studio JSON", read_array(_task))


def _task(task: Entry, place: str, file: SourceFile) -> Reading:
    data = as_entry(task.get("data"), "data")
    url = _image_url(data)
    name = name_of_url(url)
    base = name.rpartition("/")[2]
    plain = _UPLOAD_PREFIX.sub("", base)
    annotation, others = _chosen(task)
    objects: list[ObjectAnnotation] = []
    problems = [
        BoxProblem(f"annotation {key}, region {region}", region, "", "dropped", Reason.ANNOTATION_UNUSED, detail)
        for key, region, detail in others
    ]
    labels: list[ImageLabel] = []
    captions: list[str] = []
    regions = _regions(annotation)
    for region, results in regions.items():
        _add_region(region, results, objects, problems, labels, captions)
    sized = [result for results in regions.values() for result in results if isinstance(result, dict)][:1]
    image = file.image(
        name,
        place,
        image_id=as_id(task.get("id")) or "",
        other_names=(plain,) if plain != base else (),
        unit="fractions",
        width=as_size(sized[0].get("original_width")) if sized else None,
        height=as_size(sized[0].get("original_height")) if sized else None,
        objects=tuple(objects),
        problems=tuple(problems),
        labels=tuple(labels),
        captions=tuple(captions),
    )
    if isinstance(image, AnnotatedImage) and annotation is None:
        return refuse_image(image, Reason.NOT_ANNOTATED, "the task has no annotation that was not cancelled")
    return image


def _image_url(data: Entry) -> str:
    """The value of ``data`` that looks like an image's address, or the first text of it."""
    texts = [value for value in data.values() if isinstance(value, str) and value.strip()]
    images = [text for text in texts if name_of_url(text).lower().endswith(IMAGE_SUFFIXES)]
    image = text_of(data.get("image"))
    return next(iter([*images, *([image] if image else []), *texts]), "")


def _chosen(task: Entry) -> tuple[Entry | None, list[tuple[str, str, str]]]:
    """The annotation that counts, and ``(annotation id, region id, why)`` of each region of the others."""
    key = next((key for key in _ANNOTATIONS if key in task), _ANNOTATIONS[0])
    annotations = [as_entry(value, key) for value in as_list(task.get(key), key)]
    valid = [item for item in annotations if not (as_flag(item.get("was_cancelled")) or as_flag(item.get("skipped")))]
    chosen = max(
        valid,
        key=lambda item: (as_flag(item.get("ground_truth")) is True, text_of(item.get("updated_at"))),
        default=None,
    )
    others = []
    for item in annotations:
        detail = "another annotation of the task counts" if item in valid else "the annotation was cancelled"
        if item is not chosen:
            others += [(as_id(item.get("id")) or "?", region, detail) for region in _regions(item)]
    return chosen, others


def _regions(annotation: Entry | None) -> dict[str, list[Any]]:
    """Results by the id of their region; those without one are regions of their own."""
    regions: dict[str, list[Any]] = {}
    for index, result in enumerate(as_list(annotation.get("result"), "result") if annotation else ()):
        region = as_id(result.get("id")) if isinstance(result, dict) else None
        regions.setdefault(region or f"[{index}]", []).append(result)
    return regions


def _add_region(
    region: str,
    results: list[Any],
    objects: list[ObjectAnnotation],
    problems: list[BoxProblem],
    labels: list[ImageLabel],
    captions: list[str],
) -> None:
    """Adds what a region says to one of the lists: an object for each of its labels, or words for the whole picture."""
    position, name = f"region {region}", ""
    try:
        entries = [as_entry(result, "a result") for result in results]
        kinds = {text_of(entry.get("type")): as_entry(entry.get("value", {}), "value") for entry in entries}
        shape = next((kind for kind in kinds if kind.removesuffix("labels") not in ("", *_WORDS)), None)
        if shape is None:
            choices = as_list(kinds.get("choices", {}).get("choices"), "choices")
            labels += [ImageLabel(as_class_name(choice)) for choice in choices]
            texts = as_list(kinds.get("textarea", {}).get("text"), "text")
            captions += [text for text in texts if isinstance(text, str)]
            return
        lists = [as_list(value.get(kind), kind) for kind, value in kinds.items() if kind.endswith("labels")]
        names = [as_class_name(label) for found in lists for label in found]
        name = names[0] if names else as_class_name(None)
        entry = next(entry for entry in entries if entry.get("type") == shape)
        box, mask = read_shape(shape.removesuffix("labels"), kinds[shape], entry)
        objects += [ObjectAnnotation(box, label, box_id=region, position=position, mask=mask) for label in names]
    except FieldError as error:
        problems.append(problem_of(error, position, name, region))
