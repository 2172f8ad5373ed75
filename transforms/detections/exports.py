"""Detections in the formats of other tools, made from the canonical tables alone: no video, no model.

An export is files, each a name within the export's folder and its content in chunks, so that any file system
can take them. Sources of the formats: COCO results (cocodataset.org, "Results Format"), MOTChallenge
``det.txt`` (motchallenge.net, "Data Format"), Darknet's YOLO labels with the score appended, JSON Lines.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePath
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from transforms.detections.tables import facts_of

_ROWS_AT_ONCE = 8192


@dataclass(frozen=True, slots=True)
class ExportFile:
    """A file to write: its name, with "/" between folders, and its bytes in order."""

    name: str
    chunks: Iterable[bytes]


Export = Callable[[pa.Table, pa.Table, Mapping[int, str]], Iterator[ExportFile]]
"""``export(detections, frames, labels)``: the two canonical tables, and class id → name of the whole label
map. Where
the label map is empty, the classes that occur are all there are."""


def coco_export(detections: pa.Table, frames: pa.Table, labels: Mapping[int, str]) -> Iterator[ExportFile]:
    """``coco_images.json``: images and categories; ``coco_results.json``: the list that ``COCO.loadRes``
    takes.

    The id of an image is its frame index. Boxes are x, y, width, height in pixels of the upright frame.
    """
    facts = facts_of(frames.schema)
    stem = PurePath(facts.video).stem

    def images() -> Iterator[str]:
        for frame in _rows(_processed(frames)):
            yield _compact(
                {
                    "id": frame["frame_index"],
                    "file_name": frame_name(stem, frame["frame_index"]) + ".jpg",
                    "width": facts.width,
                    "height": facts.height,
                    "video": facts.video,
                    "pts": frame["pts"],
                    "time_s": round(frame["time_s"], 6),
                }
            )

    def images_file() -> Iterator[bytes]:
        named = _labels_of(detections, labels)
        categories = [{"id": number, "name": name} for number, name in named.items()]
        yield f'{{"categories":{_compact(categories)},"annotations":[],"images":'.encode()
        yield from _json_list(images())
        yield b"}\n"

    def results() -> Iterator[str]:
        for row in _rows(detections):
            x, y = row["xmin_px"], row["ymin_px"]
            yield _compact(
                {
                    "image_id": row["frame_index"],
                    "category_id": row["class_id"],
                    "bbox": [round(v, 3) for v in (x, y, row["xmax_px"] - x, row["ymax_px"] - y)],
                    "score": round(row["score"], 6),
                }
            )

    def results_file() -> Iterator[bytes]:
        yield from _json_list(results())
        yield b"\n"

    yield ExportFile("coco_images.json", images_file())
    yield ExportFile("coco_results.json", results_file())


def mot_export(detections: pa.Table, frames: pa.Table, labels: Mapping[int, str]) -> Iterator[ExportFile]:
    """``mot.csv``: frame, id, left, top, width, height, score, x, y, z; no header, as MOTChallenge has none.

    Frames count from 1, so a row's frame is its frame index + 1. Nothing is tracked: id and the world's x, y,
    z are -1. The format has no place for classes; ``labels`` is not used.
    """
    del frames, labels

    def lines() -> Iterator[bytes]:
        for row in _rows(detections):
            x, y = row["xmin_px"], row["ymin_px"]
            width, height = row["xmax_px"] - x, row["ymax_px"] - y
            box = f"{x:.2f},{y:.2f},{width:.2f},{height:.2f}"
            yield f"{row['frame_index'] + 1},-1,{box},{row['score']:.6f},-1,-1,-1\n".encode()

    yield ExportFile("mot.csv", lines())


def jsonl_export(detections: pa.Table, frames: pa.Table, labels: Mapping[int, str]) -> Iterator[ExportFile]:
    """``detections.jsonl``: a line for every frame of the video, lost and skipped ones too."""
    del labels
    facts = facts_of(frames.schema)

    def lines() -> Iterator[bytes]:
        for frame, found in _by_frame(frames, detections):
            line = {
                "video": facts.video,
                "frame_index": frame["frame_index"],
                "pts": frame["pts"],
                "time_s": round(frame["time_s"], 6),
                "status": frame["status"],
                "health": frame["health"],
                "detections": [
                    {
                        "class_id": row["class_id"],
                        "label": row["label"],
                        "score": round(row["score"], 6),
                        "box": [round(row[edge], 6) for edge in ("ymin", "xmin", "ymax", "xmax")],
                    }
                    for row in found
                ],
            }
            yield _compact(line).encode() + b"\n"

    yield ExportFile("detections.jsonl", lines())


def yolo_export(detections: pa.Table, frames: pa.Table, labels: Mapping[int, str]) -> Iterator[ExportFile]:
    """``labels/<stem>_<frame index>.txt`` for every processed frame: class, centre x, centre y, width,
    height, score.

    Edges are fractions of the frame. Classes count from 0, in the order of ``classes.txt``, which is that of
    the ids; ids have gaps, these numbers have none. A frame without detections has an empty file: it is
    background.
    """
    stem = PurePath(facts_of(frames.schema).video).stem
    named = _labels_of(detections, labels)
    numbers = {class_id: number for number, class_id in enumerate(named)}
    names = "".join(f"{' '.join(name.split())}\n" for name in named.values())
    yield ExportFile("classes.txt", [names.encode()])
    for frame, found in _by_frame(_processed(frames), detections):
        lines = []
        for row in found:
            width, height = row["xmax"] - row["xmin"], row["ymax"] - row["ymin"]
            x, y = row["xmin"] + width / 2, row["ymin"] + height / 2
            box = f"{x:.6f} {y:.6f} {width:.6f} {height:.6f}"
            lines.append(f"{numbers[row['class_id']]} {box} {row['score']:.6f}\n")
        yield ExportFile(f"labels/{frame_name(stem, frame['frame_index'])}.txt", [line.encode() for line in lines])


EXPORTS: Mapping[str, Export] = {
    "coco": coco_export,
    "mot": mot_export,
    "jsonl": jsonl_export,
    "yolo": yolo_export,
}


def frame_name(stem: str, frame_index: int) -> str:
    """What a frame's file is called, without its ending."""
    return f"{stem}_{frame_index:06d}"


def write_files(folder: Path, files: Iterable[ExportFile]) -> list[Path]:
    """Writes an export into a local folder; returns the paths, in order."""
    paths = []
    for file in files:
        path = folder / file.name
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("wb") as out:
            out.writelines(file.chunks)
        paths.append(path)
    return paths


def _processed(frames: pa.Table) -> pa.Table:
    return frames.filter(pc.equal(frames["status"], "processed"))


def _rows(table: pa.Table) -> Iterator[dict[str, Any]]:
    for batch in table.to_batches(max_chunksize=_ROWS_AT_ONCE):
        yield from batch.to_pylist()


def _by_frame(frames: pa.Table, detections: pa.Table) -> Iterator[tuple[dict[str, Any], list[dict[str, Any]]]]:
    """Each frame with its detections; both tables are ordered by frame."""
    rows = _rows(detections)
    row = next(rows, None)
    for frame in _rows(frames):
        found = []
        while row is not None and row["frame_index"] <= frame["frame_index"]:
            if row["frame_index"] == frame["frame_index"]:
                found.append(row)
            row = next(rows, None)
        yield frame, found


def _labels_of(detections: pa.Table, labels: Mapping[int, str]) -> dict[int, str]:
    """Id → name in the order of the ids: of the label map, and of classes that occur without being in it."""
    pairs = detections.select(["class_id", "label"]).group_by(["class_id", "label"]).aggregate([])
    found = {row["class_id"]: row["label"] for row in pairs.to_pylist()}
    return dict(sorted({**found, **labels}.items()))


def _compact(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"), allow_nan=False)


def _json_list(items: Iterable[str]) -> Iterator[bytes]:
    yield b"["
    for count, item in enumerate(items):
        yield (b",\n" if count else b"\n") + item.encode()
    yield b"\n]"
