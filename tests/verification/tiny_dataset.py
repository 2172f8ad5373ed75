"""A dataset of a few KB in which something of every kind happened, and a way to verify it without Beam."""

from __future__ import annotations

import io
import json
import random
from pathlib import Path
from typing import Any

from PIL import Image

from pipelines import build_tfrecords
from transforms.shards.manifest import manifest_bytes, read_manifest
from transforms.shards.record_framing import frame_record, read_records
from transforms.verification.check_dataset import check_dataset
from transforms.verification.check_shard import ShardSettings, check_shard
from transforms.verification.findings import Code, Finding
from transforms.verification.stated_dataset import ManifestMalformed, parse_manifest

NAME = "tiny"
IMAGES = 16
SIZE = 32


def build(folder: Path) -> Path:
    """Builds the dataset below ``folder`` and returns its own folder.

    Of its 18 images one is damaged and one is missing; boxes are written, clipped and empty; one annotation has no
    image, and one picture has no annotation.
    """
    images = folder / "photos"
    images.mkdir()
    entries = [
        {"id": number, "file_name": f"{number:02d}.{'png' if number % 2 else 'jpg'}", "width": SIZE, "height": SIZE}
        for number in range(1, IMAGES + 3)
    ]
    for number, entry in enumerate(entries[:IMAGES]):
        picture = Image.new("L", (SIZE, SIZE), number * 9)
        picture.save(images / str(entry["file_name"]))
    (images / str(entries[IMAGES]["file_name"])).write_bytes(b"\x89PNG\r\n\x1a\n and nothing more")
    Image.new("L", (SIZE, SIZE)).save(images / "unlisted.png")
    boxes = [(entry["id"], [1 + n, 2.25, 3 + n, 7.125]) for entry in entries for n in range(int(str(entry["id"])) % 4)]
    boxes += [(1, [20, 20, 20, 5]), (2, [30, 3, 5, 5]), (3, [4, 4, 0, 3]), (999, [1, 1, 2, 2])]
    annotations = [
        {"id": number, "image_id": image_id, "category_id": 1 + number % 3, "bbox": box, "area": 5, "iscrowd": 0}
        for number, (image_id, box) in enumerate(boxes, start=1)
    ]
    categories = [{"id": 1, "name": "cat"}, {"id": 2, "name": "개"}, {"id": 5, "name": 'a "quoted" one'}]
    for annotation in annotations:
        annotation["category_id"] = (1, 2, 5)[int(str(annotation["id"])) % 3]
    coco = {"images": entries, "annotations": annotations, "categories": categories}
    (folder / "instances.json").write_text(json.dumps(coco), encoding="utf-8")
    code = build_tfrecords.main(
        [
            f"--annotations={folder / 'instances.json'}",
            f"--images={images}",
            f"--output={folder / 'data'}",
            f"--name={NAME}",
            "--splits=train=0.6,val=0.4",
            "--num_shards=train=3,val=2",
            "--max_reject_ratio=0.5",
        ]
    )
    assert code == build_tfrecords.EXIT_SOME_REJECTED
    return folder / "data" / NAME / "1.0.0"


def findings_of(folder: Path) -> list[Finding]:
    """Verifies a dataset as the pipeline does, in this process."""
    manifest = read_manifest(str(folder))
    try:
        stated = parse_manifest(manifest)
    except ManifestMalformed as malformed:
        return [Finding(Code.MANIFEST_MALFORMED, "manifest.json", "", str(malformed))]
    settings = ShardSettings(str(folder), stated.fingerprint, stated.class_ids, "full")
    reports = [check_shard(shard, settings) for shard in stated.shards]
    return list(check_dataset(reports, stated, manifest, str(folder)).findings)


def codes_of(folder: Path) -> set[Code]:
    """What kinds of findings a dataset has."""
    return {finding.code for finding in findings_of(folder)}


def shard_files(folder: Path) -> list[Path]:
    """The shards of a dataset, the largest first."""
    return sorted(folder.glob("*.tfrecord-*"), key=lambda path: (-path.stat().st_size, path.name))


def change_manifest(folder: Path, manifest: dict[str, Any]) -> None:
    """Replaces the manifest, in the form in which the build writes it."""
    (folder / "manifest.json").write_bytes(manifest_bytes(manifest))


def read_payloads(shard: Path) -> list[bytes]:
    """The serialised Examples of a shard."""
    return list(read_records(io.BytesIO(shard.read_bytes())))


def write_payloads(shard: Path, payloads: list[bytes]) -> None:
    """Replaces a shard by other records, well framed."""
    shard.write_bytes(b"".join(part for payload in payloads for part in frame_record([payload])))


def flipped(data: bytes, rng: random.Random, offset: int | None = None) -> bytes:
    """The data with some bits of one byte turned over."""
    offset = rng.randrange(len(data)) if offset is None else offset
    return data[:offset] + bytes([data[offset] ^ rng.randrange(1, 256)]) + data[offset + 1 :]
