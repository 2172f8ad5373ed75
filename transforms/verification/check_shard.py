"""One shard against what the manifest says of it, its records one at a time."""

from __future__ import annotations

import hashlib
import os
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import BinaryIO, cast

import numpy as np
import numpy.typing as npt

from transforms import storage
from transforms.examples.class_ids import ClassIds
from transforms.ledger.counts import Counts
from transforms.shards.record_framing import FOOTER_BYTES, HEADER_BYTES, FramingError, read_records
from transforms.splits.shard_plan import ShardKey
from transforms.verification.check_ledger import LedgerCheck, RecordTrace, check_shard_ledger
from transforms.verification.check_record import DecodeMode, RecordFacts, check_record
from transforms.verification.findings import Code, Finding
from transforms.verification.stated_dataset import StatedShard

# A damaged writer could leave a finding a record: so many of a shard are kept, the rest is counted.
MAX_FINDINGS = 1000
_CHUNK_BYTES = 1 << 20
OnRecord = Callable[[int], None]
"""Told the bytes of each record, framing included."""


@dataclass(frozen=True, slots=True)
class ShardSettings:
    """What shards are compared with besides the manifest's entry.

    Attributes:
      folder: of the dataset.
      fingerprint: of the dataset.
      class_ids: of the dataset.
      decode: which pictures are decoded in full.
    """

    folder: str
    fingerprint: str
    class_ids: ClassIds
    decode: DecodeMode = "sample"


@dataclass(slots=True)
class ShardReport:
    """What was found in a shard; 36 bytes a record, and the findings.

    Attributes:
      key, file: which shard.
      bytes, sha256: of the file; "" if it cannot be read.
      is_whole: every record was read, so that the numbers can be compared with those of the manifest.
      source_ids: int64 by record; -1 where it has none.
      name_hashes, picture_hashes: uint64 by record, see RecordFacts.
      boxes: int32 by record.
      edge_sums: float64 by record, see RecordFacts.
      classes: boxes of each class.
      optional_keys, formats: that some record has.
      ledger: counts of the shard's ledger; None if it cannot be read.
      findings: at most MAX_FINDINGS, and one more that says how many there are besides.
    """

    key: ShardKey
    file: str
    bytes: int = 0
    sha256: str = ""
    is_whole: bool = False
    source_ids: npt.NDArray[np.int64] = field(default_factory=lambda: np.empty(0, np.int64))
    name_hashes: npt.NDArray[np.uint64] = field(default_factory=lambda: np.empty(0, np.uint64))
    picture_hashes: npt.NDArray[np.uint64] = field(default_factory=lambda: np.empty(0, np.uint64))
    boxes: npt.NDArray[np.int32] = field(default_factory=lambda: np.empty(0, np.int32))
    edge_sums: npt.NDArray[np.float64] = field(default_factory=lambda: np.empty(0, np.float64))
    classes: Counter[str] = field(default_factory=Counter)
    optional_keys: set[str] = field(default_factory=set)
    formats: set[str] = field(default_factory=set)
    ledger: Counts | None = None
    findings: list[Finding] = field(default_factory=list)
    omitted: int = 0

    @property
    def records(self) -> int:
        return len(self.source_ids)

    def add(self, code: Code, place: str, detail: str, file: str = "") -> None:
        """Adds a finding about the shard's own file, or another."""
        if len(self.findings) < MAX_FINDINGS:
            self.findings.append(Finding(code, file or self.file, place, detail))
        else:
            self.omitted += 1


def check_shard(shard: StatedShard, settings: ShardSettings, on_record: OnRecord = lambda size: None) -> ShardReport:
    """Checks the file of a shard and its part of the ledger.

    Args:
      shard: as stated.
      settings: see there.
      on_record: called for each record.
    """
    try:
        path = os.path.join(settings.folder, shard.file)
        with storage.open_file(path) if storage.is_remote(path) else open(path, "rb", _CHUNK_BYTES) as stream:
            report, traces = check_shard_stream(stream, shard, settings, on_record)
    except FileNotFoundError:
        report, traces = ShardReport(shard.key, shard.file), []
        report.add(Code.FILE_MISSING, "", f"the shard of {shard.records} records is not there")
    except OSError as error:
        report, traces = ShardReport(shard.key, shard.file), []
        report.add(Code.FILE_UNREADABLE, "", f"it cannot be read: {error.strerror}")
    ledger = check_shard_ledger(settings.folder, shard, settings.fingerprint, traces if report.is_whole else None)
    _add_ledger(report, ledger)
    if report.omitted:
        detail = f"{report.omitted} more findings of this shard are not listed"
        report.findings.append(Finding(Code.FINDINGS_OMITTED, report.file, "", detail))
    return report


def check_shard_stream(
    stream: BinaryIO, shard: StatedShard, settings: ShardSettings, on_record: OnRecord = lambda size: None
) -> tuple[ShardReport, list[RecordTrace]]:
    """Checks the bytes of a shard, from the start of a stream that can seek.

    Returns:
      The report, without a ledger, and what the ledger must say of each record.
    """
    report = ShardReport(shard.key, shard.file)
    reader = _HashingReader(stream)
    facts: list[RecordFacts] = []
    is_framed = True
    try:
        for index, payload in enumerate(read_records(cast(BinaryIO, reader))):
            record, problems = check_record(payload, settings.class_ids, settings.decode, is_first=index == 0)
            for code, detail in problems:
                report.add(code, f"record {index}", detail)
            if record is not None:
                facts.append(record)
            is_framed = is_framed and record is not None
            on_record(HEADER_BYTES + len(payload) + FOOTER_BYTES)
    except FramingError as error:
        is_framed = False
        report.add(Code.SHARD_FRAMING, f"record {len(facts)}", str(error))
    reader.drain()
    report.bytes, report.sha256, report.is_whole = reader.size, reader.sha256, is_framed
    _gather(report, facts)
    _compare(report, shard)
    return report, [RecordTrace(f.source_id, f.source, f.file_name, len(f.class_names)) for f in facts]


def _gather(report: ShardReport, facts: list[RecordFacts]) -> None:
    report.source_ids = np.array([item.source_id for item in facts], np.int64)
    report.name_hashes = np.array([item.name_hash for item in facts], np.uint64)
    report.picture_hashes = np.array([item.picture_hash for item in facts], np.uint64)
    report.boxes = np.array([len(item.class_names) for item in facts], np.int32)
    report.edge_sums = np.array([item.edge_sum for item in facts], np.float64)
    for item in facts:
        report.classes.update(item.class_names)
        report.optional_keys |= item.optional_keys
        report.formats.add(item.format)


def _compare(report: ShardReport, shard: StatedShard) -> None:
    if report.bytes != shard.bytes:
        report.add(Code.SHARD_SIZE, "", f"it has {report.bytes} bytes, the manifest says {shard.bytes}")
    if report.sha256 != shard.sha256:
        report.add(Code.SHARD_DIGEST, "", f"its SHA-256 is {report.sha256}, the manifest says {shard.sha256}")
    if not report.is_whole:
        return
    for name, found, stated in (
        ("records", report.records, shard.records),
        ("boxes", int(report.boxes.sum()), shard.boxes),
    ):
        if found != stated:
            report.add(Code.COUNT_MISMATCH, name, f"it has {found} {name}, the manifest says {stated}")


def _add_ledger(report: ShardReport, ledger: LedgerCheck) -> None:
    report.ledger = ledger.counts
    for finding in ledger.findings:
        report.add(finding.code, finding.place, finding.detail, finding.file)
    result = ledger.result
    if result is None:
        return
    stated = (result.records, result.bytes, result.sha256, result.optional_keys, set(result.formats))
    found = (report.records, report.bytes, report.sha256, report.optional_keys, report.formats)
    if report.is_whole and stated != found:
        report.add(
            Code.LEDGER_RESULT, "", f"the builder wrote (records, bytes, SHA-256, …) {stated}, now it is {found}"
        )


class _HashingReader:
    """Reads a stream once for its records and its digest; never asks for more than there is."""

    def __init__(self, stream: BinaryIO):
        self._stream = stream
        self._digest = hashlib.sha256()
        self._left = stream.seek(0, os.SEEK_END)
        stream.seek(0)
        self.size = 0

    @property
    def sha256(self) -> str:
        return self._digest.hexdigest()

    def read(self, size: int) -> bytes:
        data = self._stream.read(min(size, self._left))
        self._left -= len(data)
        self.size += len(data)
        self._digest.update(data)
        return data

    def drain(self) -> None:
        """Reads what the records left."""
        for _ in self._chunks():
            pass

    def _chunks(self) -> Iterator[bytes]:
        while chunk := self.read(_CHUNK_BYTES):
            yield chunk
