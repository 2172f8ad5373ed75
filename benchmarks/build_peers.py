"""What boxmill build is measured against: the scripts that people write, and the limit. Each runs as a process.

python -m benchmarks.build_peers loop|loop_checked|beam|copy FOLDER OUTPUT
"""

from __future__ import annotations

import hashlib
import io
import json
import multiprocessing
import os
import sys
import time
from collections import defaultdict
from collections.abc import Iterator
from typing import Any

from PIL import Image

SHARDS = 16


def annotated_images(folder: str) -> Iterator[tuple[dict[str, Any], list[dict[str, Any]]]]:
    """The images of a COCO file with their annotations, the way most scripts read them."""
    with open(os.path.join(folder, "instances.json"), encoding="utf-8") as file:
        data = json.load(file)
    by_image = defaultdict(list)
    for annotation in data["annotations"]:
        by_image[annotation["image_id"]].append(annotation)
    for image in data["images"]:
        yield image, by_image[image["id"]]


def example(folder: str, image: dict[str, Any], annotations: list[dict[str, Any]], check: bool) -> Any:
    """A tf.train.Example with the keys of the TF Object Detection API."""
    import tensorflow as tf

    with open(os.path.join(folder, "images", image["file_name"]), "rb") as file:
        data = file.read()
    picture = Image.open(io.BytesIO(data))
    width, height = picture.size
    if check:
        picture.load()

    def floats(values: list[float]) -> Any:
        return tf.train.Feature(float_list=tf.train.FloatList(value=values))

    def integers(values: list[int]) -> Any:
        return tf.train.Feature(int64_list=tf.train.Int64List(value=values))

    def texts(values: list[bytes]) -> Any:
        return tf.train.Feature(bytes_list=tf.train.BytesList(value=values))

    boxes = [annotation["bbox"] for annotation in annotations]
    return tf.train.Example(
        features=tf.train.Features(
            feature={
                "image/height": integers([height]),
                "image/width": integers([width]),
                "image/filename": texts([image["file_name"].encode()]),
                "image/source_id": texts([str(image["id"]).encode()]),
                "image/key/sha256": texts([hashlib.sha256(data).hexdigest().encode()]),
                "image/encoded": texts([data]),
                "image/format": texts([b"jpeg"]),
                "image/object/bbox/xmin": floats([x / width for x, _, _, _ in boxes]),
                "image/object/bbox/xmax": floats([(x + w) / width for x, _, w, _ in boxes]),
                "image/object/bbox/ymin": floats([y / height for _, y, _, _ in boxes]),
                "image/object/bbox/ymax": floats([(y + h) / height for _, y, _, h in boxes]),
                "image/object/class/text": texts([f"class {a['category_id'] - 1}".encode() for a in annotations]),
                "image/object/class/label": integers([a["category_id"] for a in annotations]),
                "image/object/is_crowd": integers([a["iscrowd"] for a in annotations]),
                "image/object/area": floats([a["area"] for a in annotations]),
            }
        )
    )


def plain_loop(folder: str, output: str, check: bool, read_delay: float = 0) -> None:
    """One process, one image after the other."""
    import tensorflow as tf

    os.makedirs(output)
    writers = [tf.io.TFRecordWriter(f"{output}/train.tfrecord-{i:05d}-of-{SHARDS:05d}") for i in range(SHARDS)]
    start, images = 0.0, 0
    for image, objects in annotated_images(folder):
        start = start or time.perf_counter()
        if read_delay:
            time.sleep(read_delay)
        writers[images % SHARDS].write(example(folder, image, objects, check).SerializeToString())
        images += 1
    for writer in writers:
        writer.close()
    print(f"loop: {images / (time.perf_counter() - start):.0f} images/s while writing")


def stock_beam(folder: str, output: str) -> None:
    """Beam with its own TFRecord sink: Examples cross the shuffle."""
    import apache_beam as beam
    from apache_beam.runners.portability.fn_api_runner import FnApiRunner

    os.makedirs(output)
    with beam.Pipeline(runner=FnApiRunner()) as pipeline:
        (
            pipeline
            | beam.Create(list(annotated_images(folder)))
            | beam.Map(lambda item: example(folder, *item, check=False).SerializeToString())
            | beam.io.WriteToTFRecord(f"{output}/train", num_shards=SHARDS)
        )


def _copy(task: tuple[str, str, list[str]]) -> None:
    import google_crc32c

    folder, path, names = task
    with open(path, "wb") as output:
        for name in names:
            with open(os.path.join(folder, "images", name), "rb") as file:
                data = file.read()
            google_crc32c.value(data)
            output.write(data)


def copy(folder: str, output: str) -> None:
    """Reads, checks and writes the bytes with two processes and does nothing else: the limit."""
    os.makedirs(output)
    names = sorted(os.listdir(os.path.join(folder, "images")))
    with multiprocessing.Pool(2) as pool:
        pool.map(
            _copy,
            [(folder, f"{output}/{shard}", names[shard::SHARDS]) for shard in range(SHARDS)],
            chunksize=1,
        )


def main() -> None:
    kind, folder, output = sys.argv[1:4]
    if kind == "loop":
        plain_loop(folder, output, check=False)
    elif kind == "loop_checked":
        plain_loop(folder, output, check=True)
    elif kind == "loop_slow_reads":
        plain_loop(folder, output, check=False, read_delay=0.05)
    elif kind == "beam":
        stock_beam(folder, output)
    elif kind == "copy":
        copy(folder, output)
    else:
        sys.exit(f"unknown peer {kind!r}")


if __name__ == "__main__":
    main()
