"""Labelbox NDJSON (export version 2): a line for each data row.

Format: https://docs.labelbox.com/reference/label-export – a data row with its projects, each with its labels; boxes are
top, left, height, width in pixels. **Which label.** Of a project's labels the benchmark counts, else the first; the
objects of the others are listed as dropped. Masks are addresses of pictures on Labelbox's servers and are not fetched.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, BinaryIO

from transforms.annotations.fields import FieldError, as_flag, as_id, as_size, quote
from transforms.annotations.image_urls import name_of_url
from transforms.annotations.json_objects import (
    Entry,
    as_entry,
    as_list,
    number,
    read_lines,
    read_objects,
    ring_of_points,
    text_of,
)
from transforms.annotations.json_outline import outline
from transforms.annotations.refusals import Refused, as_class_name, box_of_size, problem_of, refuse_image
from transforms.annotations.shapes import bounds
from transforms.annotations.source_files import SourceFile, read_streamed
from transforms.ledger.reasons import Reason
from transforms.records import (
    AnnotatedImage,
    BoxProblem,
    ImageLabel,
    ObjectAnnotation,
    Polygons,
    ReadContext,
    Reading,
)

SUFFIXES = (".ndjson", ".jsonl")
FILES_PER_UNIT = 1


def sniff(head: bytes) -> bool:
    """Whether the first bytes of a file are a data row."""
    found = outline(head)
    is_row = found.has(media_attributes="{") or found.has(projects="{") or "row_data" in found.inner
    return found.kind == "object" and found.has(data_row="{") and is_row


def read(stream: BinaryIO, context: ReadContext) -> Iterator[Reading]:
    """Reads one export; what cannot be read is a Rejection or a BoxProblem, never an exception."""
    return read_streamed(stream, context, "Labelbox NDJSON", read_lines(_row))


def _row(entry: Entry, place: str, file: SourceFile) -> Reading:
    row = as_entry(entry.get("data_row"), "data_row")
    media = entry["media_attributes"] if isinstance(entry.get("media_attributes"), dict) else {}
    addresses = (text_of(row.get("external_id")), text_of(row.get("row_data")), text_of(row.get("global_key")))
    names = [*dict.fromkeys(filter(None, map(name_of_url, addresses)))]
    objects: list[ObjectAnnotation] = []
    problems: list[BoxProblem] = []
    labels: list[ImageLabel] = []
    captions: list[str] = []
    is_annotated = False
    for key, project in as_entry(entry.get("projects") or {}, "projects").items():
        versions = as_list(as_entry(project, f"project {key}").get("labels"), "labels")
        is_annotated |= bool(versions)
        chosen = next(iter([*filter(_is_benchmark, versions), *versions]), None)
        for index, version in enumerate(versions):
            annotations = as_entry(as_entry(version, "label").get("annotations") or {}, "annotations")
            array = f"labels[{index}].objects" if len(versions) > 1 else "objects"
            if "frames" in annotations:
                raise Refused(Reason.SHAPE_UNSUPPORTED, "the data row is a video")
            if version is not chosen:
                problems += _unused(annotations, array)
                continue
            found, wrong = read_objects(annotations.get("objects"), array, _class_name, _object)
            objects += found
            problems += wrong
            _add_words(annotations, labels, captions, problems)
    image = file.image(
        names[0] if names else None,
        place,
        image_id=as_id(row.get("id")) or "",
        other_names=tuple(names[1:]),
        width=as_size(media.get("width")),
        height=as_size(media.get("height")),
        objects=tuple(objects),
        problems=tuple(problems),
        labels=tuple(labels),
        captions=tuple(captions),
    )
    if isinstance(image, AnnotatedImage) and not is_annotated:
        return refuse_image(image, Reason.NOT_ANNOTATED, "the data row has no label")
    return image


def _is_benchmark(version: Any) -> bool:
    return isinstance(version, dict) and as_flag(version.get("is_benchmark_reference")) is True


def _unused(annotations: Entry, array: str) -> Iterator[BoxProblem]:
    for index, item in enumerate(as_list(annotations.get("objects"), array)):
        name = text_of(item.get("name")) if isinstance(item, dict) else ""
        detail = "another label of the data row counts"
        yield BoxProblem(f"{array}[{index}]", "", name, "dropped", Reason.ANNOTATION_UNUSED, detail)


def _class_name(item: Entry) -> Any:
    return item.get("name") or item.get("value")


def _object(item: Entry, name: str, position: str) -> ObjectAnnotation:
    box_id = as_id(item.get("feature_id")) or ""
    if item.get("bounding_box") is not None:
        sides = as_entry(item["bounding_box"], "bounding_box")
        box = box_of_size(*(number(sides, side) for side in ("left", "top", "width", "height")))
        return ObjectAnnotation(box, name, box_id=box_id, position=position)
    if item.get("polygon") is not None:
        ring = ring_of_points(item["polygon"], "polygon")
        return ObjectAnnotation(bounds([ring]), name, box_id=box_id, position=position, mask=Polygons((ring,)))
    raise Refused(Reason.SHAPE_UNSUPPORTED, f"a {quote(item.get('annotation_kind'))} has no box in the file")


def _add_words(annotations: Entry, labels: list[ImageLabel], captions: list[str], problems: list[BoxProblem]) -> None:
    """Adds the classifications of the whole picture: answers become labels, texts become captions."""
    for index, value in enumerate(as_list(annotations.get("classifications"), "classifications")):
        try:
            item = as_entry(value, "classification")
            answers = as_list(item.get("checklist_answers"), "checklist_answers")
            answers = [*answers, item["radio_answer"]] if item.get("radio_answer") is not None else answers
            labels += [ImageLabel(as_class_name(_class_name(as_entry(answer, "answer")))) for answer in answers]
            text = item["text_answer"] if isinstance(item.get("text_answer"), dict) else {}
            captions += filter(None, [text_of(text.get("content"))])
        except FieldError as error:
            problems.append(problem_of(error, f"classifications[{index}]"))
