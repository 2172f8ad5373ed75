"""The ledger against the records: a row for each, in order, and counts that add up."""

from __future__ import annotations

import os
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from transforms import storage
from transforms.ledger.counts import Counts
from transforms.ledger.ledger_rows import BOX_SCHEMA, IMAGE_SCHEMA
from transforms.shards.shard_ledger import read_result
from transforms.shards.shard_result import ShardResult, ledger_file_name
from transforms.splits.shard_plan import REJECTED, ShardKey
from transforms.verification.findings import Code, Finding
from transforms.verification.stated_dataset import StatedShard

UNLISTED_FILE = "ledger/images-unlisted.parquet"
_ROWS_AT_ONCE = 4096
_UNREADABLE = (OSError, ValueError, TypeError, KeyError, OverflowError, pa.ArrowException)
_COUNT_NAMES = [item.name for item in fields(Counts) if item.name not in ("images_checksum", "classes")]
_ImageName = tuple[str, str, str]
"""Source, annotation file and file name: what a box row has in common with its image's row."""


@dataclass(frozen=True, slots=True)
class RecordTrace:
    """What the ledger must say of a record; ``source`` is "" where the record does not say."""

    source_id: int
    source: str
    file_name: str
    boxes: int


@dataclass(slots=True)
class LedgerCheck:
    """What was found in a part of the ledger.

    Attributes:
      counts: of its rows, without the checksum; None if they cannot be read.
      result: what the builder wrote down of the shard; None if it wrote nothing.
      nameless: rejected rows without a file name, which stand for an image or for something else.
      findings: see there.
    """

    counts: Counts | None = None
    result: ShardResult | None = None
    nameless: int = 0
    findings: list[Finding] = field(default_factory=list)


@dataclass(slots=True)
class _BoxProblems:
    """Positions of an image's boxes that were dropped or repaired; a box may have several rows."""

    dropped: set[str] = field(default_factory=set)
    repaired: set[str] = field(default_factory=set)


def check_shard_ledger(
    folder: str, shard: StatedShard, fingerprint: str, records: Sequence[RecordTrace] | None
) -> LedgerCheck:
    """Checks the two files of a shard.

    Args:
      folder: of the dataset.
      shard: as stated.
      fingerprint: of the dataset.
      records: of the shard in order; None if they could not all be read.
    """
    check = _check_files(folder, shard.key, shard.shards, fingerprint)
    if check.counts is None:
        return check
    images = ledger_file_name("images", shard.key, shard.shards)
    written = 0
    for number, row in enumerate(_rows(folder, images)):
        problem = ""
        if row["status"] not in ("written", "repaired", "rejected"):
            problem = f"its status is {row['status']!r}, not written, repaired or rejected"
        elif row["status"] != "rejected":
            problem = _row_problem(row, shard, written, records)
            written += 1
        elif (row["split"], row["shard"], row["index"], row["boxes_written"]) != ("", -1, -1, 0):
            problem = "it is rejected, yet it names a split, shard, index or written boxes"
        if problem:
            check.findings.append(Finding(Code.LEDGER_ROW, images, f"row {number}", problem))
    expected = shard.records if records is None else len(records)
    if written != expected:
        detail = f"it has rows of {written} written images, the shard has {expected} records"
        check.findings.append(Finding(Code.LEDGER_ROW, images, "", detail))
    return check


def check_rejected_ledger(folder: str, fingerprint: str) -> LedgerCheck:
    """Checks the two files of what was rejected before any shard; a dataset without such has none."""
    names = [ledger_file_name(table, REJECTED, 0) for table in ("images", "boxes")]
    if not any(storage.exists(os.path.join(folder, name)) for name in names):
        return LedgerCheck(Counts())
    check = _check_files(folder, REJECTED, 0, fingerprint)
    if check.counts is not None:
        for number, row in enumerate(_rows(folder, names[0])):
            check.nameless += row["status"] == "rejected" and not row["file_name"]
            if row["status"] in ("written", "repaired"):
                detail = f"its status is {row['status']!r}, but nothing here was written"
                check.findings.append(Finding(Code.LEDGER_ROW, names[0], f"row {number}", detail))
    return check


def check_unlisted_ledger(folder: str) -> LedgerCheck:
    """Counts images on disk that no annotation names; a dataset without such has no file of them."""
    check = LedgerCheck(Counts())
    if not storage.exists(os.path.join(folder, UNLISTED_FILE)):
        return check
    try:
        for number, row in enumerate(_rows(folder, UNLISTED_FILE)):
            check.counts.reasons.update(row["reasons"])  # type: ignore[union-attr]
            if row["status"] != "unlisted":
                detail = f"its status is {row['status']!r}, not unlisted"
                check.findings.append(Finding(Code.LEDGER_ROW, UNLISTED_FILE, f"row {number}", detail))
    except _UNREADABLE as error:
        return LedgerCheck(findings=[_unreadable(UNLISTED_FILE, error)])
    return check


def _check_files(folder: str, key: ShardKey, shards: int, fingerprint: str) -> LedgerCheck:
    """Counts the rows of a pair of files, and compares them with what the builder counted."""
    images, boxes = (ledger_file_name(table, key, shards) for table in ("images", "boxes"))
    check = LedgerCheck()
    counts = Counts()
    file = boxes
    try:
        problems = _box_problems(folder, boxes, counts)
        file = images
        check.findings += _count_images(folder, images, counts, problems)
        check.result = read_result(folder, key, shards)
    except _UNREADABLE as error:
        return LedgerCheck(findings=[_unreadable(file, error)])
    check.counts = counts
    if check.result is None:
        check.findings.append(Finding(Code.LEDGER_RESULT, images, "", "it does not say what the builder counted"))
    else:
        _compare_with_result(check, check.result, key, fingerprint, images)
    return check


def _box_problems(folder: str, file: str, counts: Counts) -> Mapping[_ImageName, _BoxProblems]:
    problems: defaultdict[_ImageName, _BoxProblems] = defaultdict(_BoxProblems)
    for row in _rows(folder, file):
        if row["status"] not in ("dropped", "repaired"):
            raise ValueError(f"a row has the status {row['status']!r}, not dropped or repaired")
        of_image = problems[_image_name(row)]
        (of_image.dropped if row["status"] == "dropped" else of_image.repaired).add(row["position"])
        counts.reasons[row["reason"]] += 1
    for item in problems.values():
        counts.boxes_dropped += len(item.dropped)
        counts.boxes_repaired += len(item.repaired - item.dropped)
    return problems


def _count_images(
    folder: str, file: str, counts: Counts, problems: Mapping[_ImageName, _BoxProblems]
) -> Iterator[Finding]:
    """Counts the image rows and compares the boxes of each image with its rows in the box ledger."""
    unexplained: Counter[_ImageName] = Counter()
    for row in _rows(folder, file):
        counts.reasons.update(row["reasons"])
        counts.images_written += row["status"] in ("written", "repaired")
        counts.images_repaired += row["status"] == "repaired"
        counts.images_rejected += row["status"] == "rejected"
        counts.boxes_written += row["boxes_written"]
        unexplained[_image_name(row)] += row["boxes_read"] - row["boxes_written"]
    counts.images_read = counts.images_written + counts.images_rejected
    counts.boxes_read = counts.boxes_written + counts.boxes_dropped
    for name in {**unexplained, **problems}:
        dropped = len(problems[name].dropped) if name in problems else 0
        # Boxes of no image have rows in the box ledger alone, and no name.
        if unexplained[name] != dropped and name[2]:
            detail = (
                f"image {name[2]!r} of {name[1]!r} has {unexplained[name]} boxes that were read and not written, yet "
                f"{dropped} dropped in the box ledger"
            )
            yield Finding(Code.LEDGER_ROW, file, "", detail)
        elif name in problems and name not in unexplained and name[2]:
            detail = f"the box ledger names an image {name[2]!r} of {name[1]!r} that has no row"
            yield Finding(Code.LEDGER_ROW, file, "", detail)


def _row_problem(row: Mapping[str, Any], shard: StatedShard, index: int, records: Sequence[RecordTrace] | None) -> str:
    """What the row of a written image says wrongly; "" if nothing."""
    place = (row["split"], row["shard"], row["index"])
    if place != (*shard.key, index):
        return f"it is for record {place}, its turn is that of {(*shard.key, index)} (split, shard, index)"
    if bool(row["reasons"]) != (row["status"] == "repaired"):
        return f"its status is {row['status']} and its reasons are {row['reasons']}"
    if records is None or index >= len(records):
        return ""
    record = records[index]
    found = (row["image_id"], row["source"] if record.source else "", row["file_name"], row["boxes_written"])
    wanted = (str(record.source_id), record.source, record.file_name, record.boxes)
    return "" if found == wanted else f"it says {found}, the record {wanted} (id, source, file name, boxes)"


def _compare_with_result(check: LedgerCheck, result: ShardResult, key: ShardKey, fingerprint: str, file: str) -> None:
    assert check.counts is not None
    if result.fingerprint != fingerprint:
        detail = f"it was written for the fingerprint {result.fingerprint}, the manifest's is {fingerprint}"
        check.findings.append(Finding(Code.FINGERPRINT_MISMATCH, file, "", detail))
    if key == REJECTED:  # rows stand for annotation files too: only the builder knows how many
        check.counts.images_read = result.counts.images_read
        check.counts.images_rejected = result.counts.images_rejected
        check.nameless = 0
    for name in _COUNT_NAMES:
        found, counted = getattr(check.counts, name), getattr(result.counts, name)
        if found != counted:
            detail = f"its rows give {name} = {found!r:.200}, the builder counted {counted!r:.200}"
            check.findings.append(Finding(Code.LEDGER_RESULT, file, "", detail))


def _rows(folder: str, file: str) -> Iterator[dict[str, Any]]:
    """Streams the rows of a ledger file.

    Raises:
      ValueError, OSError, pa.ArrowException: it is no such file.
    """
    schema = IMAGE_SCHEMA if "/images-" in file else BOX_SCHEMA
    with pq.ParquetFile(storage.for_pyarrow(os.path.join(folder, file))) as parquet:
        if parquet.schema_arrow.names != schema.names:
            raise ValueError(f"its columns are {parquet.schema_arrow.names}")
        for batch in parquet.iter_batches(batch_size=_ROWS_AT_ONCE):
            yield from batch.to_pylist()


def _image_name(row: Mapping[str, Any]) -> _ImageName:
    return row["source"], row["annotation_file"], row["file_name"]


def _unreadable(file: str, error: Exception) -> Finding:
    if isinstance(error, FileNotFoundError):
        return Finding(Code.FILE_MISSING, file, "", "this part of the ledger is not there")
    return Finding(Code.FILE_UNREADABLE, file, "", f"it cannot be read: {str(error)!r:.200}")
