"""The ledger of one shard, or of what was refused before any shard: rows collected, counted and written."""

from __future__ import annotations

import os
from collections.abc import Sequence

import pyarrow as pa
import pyarrow.parquet as pq

from transforms import storage
from transforms.ledger.counts import Counts
from transforms.ledger.ledger_rows import BOX_SCHEMA, IMAGE_SCHEMA, BoxRow, ImageRow, RowsFile
from transforms.ledger.reasons import Reason
from transforms.records import BoxProblem, Rejection
from transforms.shards.shard_result import ShardResult, ledger_file_name
from transforms.splits.reading_index import rejection_hash
from transforms.splits.shard_plan import REJECTED, ShardKey
from transforms.storage.atomic_file import write_atomically

_RESULT_KEY = "boxmill.shard"


class ShardLedger:
    """Rows and counts of a shard while it is written; the counts are those of ``result``.

    Args:
      result: of the shard.
      is_mixed: there are several sources, and each is counted by itself too.
    """

    def __init__(self, result: ShardResult, is_mixed: bool = False):
        self._result = result
        self._is_mixed = is_mixed
        self._image_rows = RowsFile(IMAGE_SCHEMA)
        self._box_rows = RowsFile(BOX_SCHEMA)

    def add_image(
        self, row: ImageRow, checksum: int, problems: Sequence[BoxProblem], class_names: Sequence[str] = ()
    ) -> None:
        """Accounts for one image.

        Args:
          row: what became of it.
          checksum: hash of its name.
          problems: of its boxes.
          class_names: of the boxes written.
        """
        status = row.status
        for counts in self._counts_of(row.source):
            counts.images_read += 1
            counts.images_checksum += checksum
            counts.images_written += status != "rejected"
            counts.images_repaired += status == "repaired"
            counts.images_rejected += status == "rejected"
            if row.reasons:
                counts.reasons.update(row.reasons)
            for name in class_names:
                counts.classes[name] += 1
        self._image_rows.add((row,))
        self._add_boxes(row, problems)

    def add_rejection(self, rejection: Rejection) -> None:
        """Accounts for what was refused before any shard."""
        row = ImageRow(
            rejection.source,
            rejection.annotation_file,
            rejection.file_name,
            rejection.image_id,
            "left_out" if rejection.reason == Reason.LEFT_OUT else "rejected",
            (str(rejection.reason),),
            rejection.detail,
            boxes_read=len(rejection.problems),
        )
        if rejection.is_image:
            self.add_image(row, rejection_hash(rejection), rejection.problems)
        elif rejection.problems:  # boxes of no image: their own rows say all
            self._add_boxes(row, rejection.problems)
        else:  # a whole annotation file, or an image that is left out
            self._image_rows.add([row])
            for counts in self._counts_of(row.source):
                counts.reasons.update(row.reasons)

    def _counts_of(self, source: str) -> list[Counts]:
        if not self._is_mixed:
            return [self._result.counts]
        return [self._result.counts, self._result.source_counts.setdefault(source, Counts())]

    def _add_boxes(self, row: ImageRow, problems: Sequence[BoxProblem]) -> None:
        for counts in self._counts_of(row.source):
            count_boxes(counts, row.boxes_written, problems)
        if problems:
            place = row.source, row.annotation_file, row.file_name
            self._box_rows.add([BoxRow.of(problem, *place) for problem in problems])

    def write(self, folder: str, shards: int) -> None:
        """Writes the box ledger, then the image ledger, which carries the result and makes the shard count as done."""
        boxes, images = (ledger_file_name(table, self._result.key, shards) for table in ("boxes", "images"))
        write_atomically(os.path.join(folder, boxes), self._box_rows.finish())
        data = self._image_rows.finish({_RESULT_KEY: self._result.to_json()})
        write_atomically(os.path.join(folder, images), data)


def count_boxes(counts: Counts, boxes_written: int, problems: Sequence[BoxProblem]) -> None:
    """Counts the boxes of one image; a box repaired for two reasons is one box."""
    counts.boxes_read += boxes_written
    counts.boxes_written += boxes_written
    if not problems:
        return
    dropped = {problem.position for problem in problems if problem.status == "dropped"}
    repaired = {problem.position for problem in problems if problem.status == "repaired"}
    counts.boxes_read += len(dropped)
    counts.boxes_dropped += len(dropped)
    counts.boxes_repaired += len(repaired - dropped)
    counts.reasons.update(str(problem.reason) for problem in problems)


def write_rejected(
    rejections: Sequence[Rejection], folder: str, fingerprint: str, is_mixed: bool = False
) -> ShardResult:
    """Writes the ledger of what was refused before any shard; for ``is_mixed`` see ``ShardLedger``."""
    result = ShardResult(REJECTED, fingerprint)
    ledger = ShardLedger(result, is_mixed)
    for rejection in sorted(rejections, key=lambda r: (r.source, r.annotation_file, r.file_name, r.image_id, r.detail)):
        ledger.add_rejection(rejection)
    ledger.write(folder, 0)
    return result


def read_result(folder: str, key: ShardKey, shards: int) -> ShardResult | None:
    """The result of a shard that an earlier run finished, or None; the shard's bytes are not looked at."""
    try:
        file = storage.for_pyarrow(os.path.join(folder, ledger_file_name("images", key, shards)))
        return result_in(pq.read_schema(file))
    except (OSError, ValueError):
        return None


def result_in(schema: pa.Schema) -> ShardResult | None:
    """The result that an image ledger of this schema carries."""
    text = (schema.metadata or {}).get(_RESULT_KEY.encode())
    return ShardResult.from_json(text.decode()) if text else None
