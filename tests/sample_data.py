"""Small pictures, annotation files and datasets made in code, and their reading back by other means than our own."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any
from xml.sax.saxutils import escape

import numpy as np
import pyarrow.parquet as pq
from PIL import Image

WIDTH, HEIGHT = 40, 30
ORIENTATION_TAG = 0x0112


def picture(width: int = WIDTH, height: int = HEIGHT, mode: str = "RGB", seed: int = 0) -> Image.Image:
    """Coloured blocks with some noise."""
    random = np.random.default_rng(seed)
    blocks = np.kron(random.integers(0, 255, (height // 8 + 1, width // 8 + 1, 3)), np.ones((8, 8, 1)))
    pixels = blocks[:height, :width] + random.integers(-9, 9, (height, width, 3))
    return Image.fromarray(np.clip(pixels, 0, 255).astype(np.uint8)).convert(mode)


def encoded(image: Image.Image, image_format: str = "JPEG", **options: Any) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, image_format, **options)
    return buffer.getvalue()


@cache
def jpeg(width: int = WIDTH, height: int = HEIGHT, seed: int = 0, mode: str = "RGB") -> bytes:
    return encoded(picture(width, height, mode, seed))


@cache
def png(width: int = WIDTH, height: int = HEIGHT, seed: int = 0, mode: str = "RGB") -> bytes:
    return encoded(picture(width, height, mode, seed), "PNG")


@cache
def turned_jpeg(orientation: int, width: int = WIDTH, height: int = HEIGHT) -> bytes:
    """A JPEG whose stored pixels are ``width`` x ``height`` and whose EXIF block says how to turn them."""
    exif = Image.Exif()
    exif[ORIENTATION_TAG] = orientation
    return encoded(picture(width, height), exif=exif)


def write_files(folder: Path, files: Mapping[str, bytes]) -> Path:
    for name, data in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    return folder


def coco(
    images: Sequence[Any], annotations: Sequence[Any] = (), categories: Sequence[Any] | None = None
) -> dict[str, Any]:
    """A COCO object; the categories are 1 cat and 3 dog unless given."""
    if categories is None:
        categories = [{"id": 1, "name": "cat"}, {"id": 3, "name": "dog"}]
    return {"images": list(images), "annotations": list(annotations), "categories": list(categories)}


def coco_bytes(*arguments: Any, **keywords: Any) -> bytes:
    return json.dumps(coco(*arguments, **keywords), ensure_ascii=False).encode()


def coco_image(image_id: Any, file_name: str, width: int = WIDTH, height: int = HEIGHT) -> dict[str, Any]:
    return {"id": image_id, "file_name": file_name, "width": width, "height": height}


def coco_box(box_id: Any, image_id: Any, bbox: Any, category_id: Any = 1, **more: Any) -> dict[str, Any]:
    return {"id": box_id, "image_id": image_id, "category_id": category_id, "bbox": bbox, **more}


def voc_object(name: str = "cat", edges: Sequence[object] = (5, 6, 15, 16), more: str = "") -> str:
    sides = "".join(
        f"<{side}>{edge}</{side}>" for side, edge in zip(("xmin", "ymin", "xmax", "ymax"), edges, strict=True)
    )
    return f"<object><name>{escape(name)}</name>{more}<bndbox>{sides}</bndbox></object>"


def voc(
    file_name: str | None, objects: Sequence[str] = (), size: tuple[object, object] | None = (WIDTH, HEIGHT)
) -> str:
    named = "" if file_name is None else f"<filename>{escape(file_name)}</filename>"
    sized = "" if size is None else f"<size><width>{size[0]}</width><height>{size[1]}</height><depth>3</depth></size>"
    return f"<annotation>{named}{sized}{''.join(objects)}</annotation>"


@dataclass(frozen=True, slots=True)
class BuiltDataset:
    """What a run of ``boxmill build`` left.

    Attributes:
      exit_code: of the run.
      folder: of the dataset.
    """

    exit_code: int
    folder: Path

    @property
    def manifest(self) -> dict[str, Any]:
        return dict(json.loads((self.folder / "manifest.json").read_bytes()))

    def shard_digests(self) -> dict[str, str]:
        return {
            shard["file"]: shard["sha256"] for split in self.manifest["splits"].values() for shard in split["shards"]
        }

    def ledger(self, table: str) -> list[dict[str, Any]]:
        return ledger_rows(self.folder, table)

    def examples(self, split: str = "*") -> Iterator[Any]:
        """tf.train.Example messages, read by TensorFlow."""
        import tensorflow as tf

        for path in sorted(self.folder.glob(f"*-{split}.tfrecord-*")):
            for record in tf.data.TFRecordDataset(str(path)).as_numpy_iterator():
                yield tf.train.Example.FromString(record)

    def by_name(self) -> dict[str, Any]:
        """Examples by their file names."""
        return {values(example, "image/filename")[0].decode(): example for example in self.examples()}


def ledger_rows(folder: Path, table: str) -> list[dict[str, Any]]:
    """Rows of the ledger's table "images" or "boxes"."""
    return [row for path in sorted(folder.glob(f"ledger/{table}-*.parquet")) for row in pq.read_table(path).to_pylist()]


def build_dataset(output: Path, annotations: Path, images: Path, *flags: str, name: str = "sample") -> BuiltDataset:
    """Runs ``boxmill build`` in this process."""
    from pipelines.build_tfrecords import main

    arguments = [f"--annotations={annotations}", f"--images={images}", f"--output={output}", f"--name={name}"]
    return BuiltDataset(main([*arguments, *flags]), output / name / "1.0.0")


def values(example: Any, key: str) -> list[Any]:
    """The values of a feature of an Example."""
    feature = example.features.feature[key]
    kind = feature.WhichOneof("kind")
    return list(getattr(feature, kind).value) if kind else []


def boxes(example: Any) -> list[tuple[float, float, float, float]]:
    """``(ymin, xmin, ymax, xmax)`` of the objects of an Example."""
    sides = [values(example, f"image/object/bbox/{side}") for side in ("ymin", "xmin", "ymax", "xmax")]
    return list(zip(*sides, strict=True))


def class_names(example: Any) -> list[str]:
    return [text.decode() for text in values(example, "image/object/class/text")]
