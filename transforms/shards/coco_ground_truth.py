"""A split as COCO ground truth, with the ids of its records: what evaluation tools compare detections to.

Each shard leaves a part beside it; the commit joins the parts in order, streaming, and numbers the annotations.
"""

from __future__ import annotations

import io
import json
import os
from collections.abc import Iterable, Iterator, Sequence

from transforms.columned_objects import column_number
from transforms.examples.checked_objects import CheckedObjects
from transforms.examples.class_ids import ClassIds
from transforms.examples.keypoints import UNLABELLED
from transforms.images.check_image import CheckedImage
from transforms.records import Rle
from transforms.splits.shard_plan import ShardKey
from transforms.storage.atomic_file import AtomicFile, open_atomic
from transforms.storage.open_ahead import open_ahead

PARTS_FOLDER = ".parts"
_FLUSH_LINES = 1000
_COLUMNS = [*map(column_number, ("class_name", "is_crowd", "difficult", "keypoints"))]


def part_file_name(key: ShardKey) -> str:
    """Where a shard leaves its part, relative to the dataset folder."""
    return f"{PARTS_FOLDER}/{key.split}-{key.number:05d}.jsonl"


def ground_truth_file(dataset: str, split: str) -> str:
    """Where a split's COCO file is, relative to the dataset folder."""
    return f"handoff/{dataset}-{split}.coco.json"


class GroundTruthPart:
    """The images and annotations of one shard as lines: "I" or "A" and a JSON object without its outer braces."""

    def __init__(self) -> None:
        self._lines: list[str] = []

    def add(
        self,
        name: str,
        source_id: int,
        image: CheckedImage,
        objects: CheckedObjects,
        class_ids: ClassIds,
        masks: Sequence[Rle] = (),
    ) -> None:
        """Adds one written image; boxes become [x, y, width, height] in pixels of the written picture.

        Args:
          name, source_id: of the record.
          image: as written.
          objects: as written.
          class_ids: of the dataset.
          masks: of the objects, each of them, or none if the dataset has no masks.
        """
        entry = {"id": source_id, "file_name": name, "width": image.width, "height": image.height}
        self._lines.append("I" + _inner(entry))
        columns, silent = objects.columns, (None,) * len(objects)
        class_names, crowds, difficult, keypoints = (columns[number] or silent for number in _COLUMNS)
        rows = zip(
            *objects.edges, objects.areas, class_names, crowds, difficult, keypoints, masks or silent, strict=True
        )
        for x0, y0, x1, y1, area, class_name, crowd, is_difficult, points, mask in rows:
            # As JSON has it, in a quarter of the time: there are many.
            line = (
                f'A"image_id": {source_id}, "category_id": {class_ids.labels[class_name]}, '
                f'"bbox": [{x0}, {y0}, {x1 - x0}, {y1 - y0}], "area": {area}, "iscrowd": {1 if crowd else 0}'
            )
            more: dict[str, object] = {}
            if mask is not None:
                more["segmentation"] = {"size": [mask.height, mask.width], "counts": mask.counts}
            if is_difficult is not None:
                more["ignore"] = int(is_difficult)
            if expected := len(class_ids.keypoints.places.get(class_name, ())):
                known = points or (UNLABELLED,) * expected
                more["keypoints"] = [value for point in known for value in point]
                more["num_keypoints"] = sum(point.visibility > 0 for point in known)
            self._lines.append(f"{line}, {_inner(more)}" if more else line)

    def keep(self, lines: Sequence[str]) -> None:
        """Adds an image by the lines that it had in another dataset with the same ids of classes."""
        self._lines += lines

    def to_bytes(self) -> bytes:
        return "".join(line + "\n" for line in self._lines).encode()


def _inner(entry: dict[str, object]) -> str:
    return json.dumps(entry, ensure_ascii=False)[1:-1]


def categories(class_ids: ClassIds) -> list[dict[str, object]]:
    """The categories of the COCO file; skeletons count keypoints from 1."""
    found: list[dict[str, object]] = []
    for name, class_id in class_ids.labels.items():
        category: dict[str, object] = {"id": class_id, "name": name}
        if keypoints := class_ids.keypoints.names_of(name):
            edges = class_ids.keypoints.skeletons.get(name, ())
            category |= {"keypoints": list(keypoints), "skeleton": [[a + 1, b + 1] for a, b in edges]}
        found.append(category)
    return found


def join_parts(folder: str, keys: Iterable[ShardKey], class_ids: ClassIds, path: str) -> None:
    """Writes the COCO file of a split from the parts of its shards, in memory of one part."""
    parts = [os.path.join(folder, part_file_name(key)) for key in sorted(keys)]
    with open_atomic(path) as file:
        file.write([b'{"images": ['])
        _write_items(file, (f"{{{line[1:]}}}" for line in _lines(parts) if line[0] == "I"))
        file.write([b'], "annotations": ['])
        annotations = (line for line in _lines(parts) if line[0] == "A")
        _write_items(file, (f'{{"id": {number}, {line[1:]}}}' for number, line in enumerate(annotations, start=1)))
        file.write([b'], "categories": ', json.dumps(categories(class_ids), ensure_ascii=False).encode(), b"}\n"])
        file.commit()


def _lines(paths: Iterable[str]) -> Iterator[str]:
    for file in open_ahead(list(paths)):
        with io.TextIOWrapper(file, encoding="utf-8") as text:
            for line in text:
                yield line.rstrip("\n")


def _write_items(file: AtomicFile, items: Iterator[str]) -> None:
    separator = ""
    batch: list[str] = []
    for item in items:
        batch.append(separator + "\n" + item)
        separator = ","
        if len(batch) == _FLUSH_LINES:
            file.write(["".join(batch).encode()])
            batch.clear()
    file.write(["".join(batch).encode()])
