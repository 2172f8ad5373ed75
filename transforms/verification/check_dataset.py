"""The whole dataset, after each shard was checked by itself: totals, duplicates, ledger and the files beside shards."""

from __future__ import annotations

import json
import os
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from transforms import storage
from transforms.ledger.counts import Counts
from transforms.shards.coco_ground_truth import ground_truth_file
from transforms.shards.manifest import MANIFEST_FILE, manifest_bytes
from transforms.verification.check_descriptions import check_descriptions
from transforms.verification.check_folder import check_folder
from transforms.verification.check_ground_truth import SplitRecords, check_ground_truth
from transforms.verification.check_leakage import check_leakage
from transforms.verification.check_ledger import LedgerCheck, check_rejected_ledger, check_unlisted_ledger
from transforms.verification.check_record import NO_ID
from transforms.verification.check_shard import ShardReport
from transforms.verification.findings import Code, Finding
from transforms.verification.stated_dataset import StatedDataset, StatedSplit

# Of ids or names that stand twice, so many are listed.
_MAX_REPEATED = 1000


@dataclass(frozen=True, slots=True)
class VerifyResult:
    """What a verification looked at and what it found.

    Attributes:
      shards, records, boxes, bytes: that were read.
      findings: in the order of their files; none if the dataset is whole.
    """

    shards: int
    records: int
    boxes: int
    bytes: int
    findings: Sequence[Finding]

    def to_json(self) -> str:
        totals = {"shards": self.shards, "records": self.records, "boxes": self.boxes, "bytes": self.bytes}
        return json.dumps(totals) + "\n" + "".join(f"{finding.to_json()}\n" for finding in self.findings)

    @classmethod
    def from_json(cls, text: str) -> VerifyResult:
        totals, *lines = text.split("\n")[:-1]
        return cls(**json.loads(totals), findings=[Finding.from_json(line) for line in lines])


def check_dataset(
    reports: Sequence[ShardReport], stated: StatedDataset, manifest: Mapping[str, Any], folder: str
) -> VerifyResult:
    """Checks what no shard can check by itself.

    Args:
      reports: of all shards, in any order.
      stated: the manifest as checked values.
      manifest: as read from its file.
      folder: of the dataset.
    """
    reports = sorted(reports, key=lambda report: report.key)
    findings = [finding for report in reports for finding in report.findings]
    findings += check_manifest_text(stated, manifest, folder)
    findings += _misplaced(reports, stated)
    findings += _repeated(
        Code.SOURCE_ID_REPEATED, "source_id", reports, [report.source_ids for report in reports], NO_ID
    )
    findings += _repeated(Code.FILE_NAME_REPEATED, "filename", reports, [report.name_hashes for report in reports])
    findings += _ledger_counts(reports, stated, folder)
    findings += check_folder(folder, stated)
    findings += check_leakage(folder, stated, manifest)
    is_whole = all(report.is_whole for report in reports)
    findings += check_descriptions(folder, stated, _seen(reports) if is_whole else None)
    if is_whole:
        findings += [
            Finding(Code.COUNT_MISMATCH, MANIFEST_FILE, place, f"it says {said!r:.200}, the shards have {found!r:.200}")
            for place, said, found in _totals(reports, stated)
            if said != found
        ]
        for split in stated.ground_truth_splits:
            records = _split_records([report for report in reports if report.key.split == split])
            findings += check_ground_truth(folder, ground_truth_file(stated.name, split), records, stated.class_ids)
    return VerifyResult(
        shards=sum(bool(report.sha256) for report in reports),
        records=sum(report.records for report in reports),
        boxes=sum(int(report.boxes.sum()) for report in reports),
        bytes=sum(report.bytes for report in reports),
        findings=_unique(findings),
    )


def check_manifest_text(stated: StatedDataset, manifest: Mapping[str, Any], folder: str) -> list[Finding]:
    """Checks that the manifest is as the build wrote it, where it can be told from itself alone."""
    findings = []
    if storage.read_bytes(os.path.join(folder, MANIFEST_FILE)) != manifest_bytes(manifest):
        detail = "its bytes are not those that the build writes for its content: it was edited"
        findings.append(Finding(Code.MANIFEST_REWRITTEN, MANIFEST_FILE, "", detail))
    if stated.fingerprint != stated.expected_fingerprint:
        expected = stated.expected_fingerprint
        detail = f"it is {stated.fingerprint!r:.80}, yet name, version, settings and sources give {expected}"
        findings.append(Finding(Code.FINGERPRINT_MISMATCH, MANIFEST_FILE, "fingerprint", detail))
    return findings


def _misplaced(reports: Sequence[ShardReport], stated: StatedDataset) -> Iterator[Finding]:
    """Shards that hold what another should hold."""
    homes = {shard.sha256: shard.file for shard in stated.shards}
    for report in reports:
        home = homes.get(report.sha256, report.file)
        if home != report.file:
            detail = f"it holds the records of {home}: the two were swapped, or one was copied over the other"
            yield Finding(Code.SHARD_SWAPPED, report.file, "", detail)


def _repeated(
    code: Code,
    what: str,
    reports: Sequence[ShardReport],
    columns: Sequence[npt.NDArray[Any]],
    ignored: int | None = None,
) -> Iterator[Finding]:
    """Findings of values that more than one record has."""
    values = np.concatenate(columns) if columns else np.empty(0, np.int64)
    unique, counts = np.unique(values, return_counts=True)
    repeated = [value for value in unique[counts > 1].tolist() if value != ignored]
    if not repeated:
        return
    ends = np.cumsum([len(column) for column in columns])
    for value in repeated[:_MAX_REPEATED]:
        places = []
        for position in np.flatnonzero(values == value)[:2].tolist():
            shard = int(np.searchsorted(ends, position, side="right"))
            places.append((reports[shard].file, position - int(ends[shard]) + len(columns[shard])))
        (first_file, first), (file, record) = places
        shown = f" {value}" if code is Code.SOURCE_ID_REPEATED else ""
        detail = f"its {what}{shown} is that of record {first} of {first_file} too"
        yield Finding(code, file, f"record {record}", detail)
    if len(repeated) > _MAX_REPEATED:
        detail = f"{len(repeated) - _MAX_REPEATED} more records whose {what} stands twice are not listed"
        yield Finding(Code.FINDINGS_OMITTED, MANIFEST_FILE, "", detail)


def _totals(reports: Sequence[ShardReport], stated: StatedDataset) -> Iterator[tuple[str, object, object]]:
    """Place in the manifest, what it says, and what the shards have."""
    for split in stated.splits:
        parts = [report for report in reports if report.key.split == split.name]
        yield from _split_totals(split, parts)
    classes = sum((report.classes for report in reports), Counter())
    for name, boxes in stated.class_boxes.items():
        yield f"classes, boxes of {name!r}", boxes, classes[name]
    yield "counts.images.written", stated.images["written"], sum(report.records for report in reports)
    yield "counts.boxes.written", stated.boxes["written"], sum(int(report.boxes.sum()) for report in reports)


def _split_totals(split: StatedSplit, parts: Sequence[ShardReport]) -> Iterator[tuple[str, object, object]]:
    place = f"splits.{split.name}"
    yield f"{place}.records", split.records, sum(report.records for report in parts)
    yield f"{place}.boxes", split.boxes, sum(int(report.boxes.sum()) for report in parts)
    yield f"{place}.bytes", split.bytes, sum(report.bytes for report in parts)
    classes = sum((report.classes for report in parts), Counter())
    yield f"{place}.classes", dict(split.classes), dict(sorted(classes.items()))


def _ledger_counts(reports: Sequence[ShardReport], stated: StatedDataset, folder: str) -> list[Finding]:
    """Compares the manifest's counts with those of the whole ledger, and with each other."""
    rejected = check_rejected_ledger(folder, stated.fingerprint)
    unlisted = check_unlisted_ledger(folder)
    findings = [*rejected.findings, *unlisted.findings]
    parts = [*(report.ledger for report in reports), rejected.counts, unlisted.counts]
    images, boxes = stated.images, stated.boxes
    sums = [
        ("counts.images.read", images["read"], "written + rejected", images["written"] + images["rejected"]),
        ("counts.boxes.read", boxes["read"], "written + dropped", boxes["written"] + boxes["dropped"]),
    ]
    for kind, total_counts in (("images", images), ("boxes", boxes)) if stated.source_counts else ():
        for count, total in total_counts.items():
            of_sources = sum(item[kind][count] for item in stated.source_counts.values())
            sums.append((f"counts.{kind}.{count}", total, "that of all sources", of_sources))
    findings += [
        Finding(Code.COUNT_MISMATCH, MANIFEST_FILE, place, f"it says {said}, {name} is {total}")
        for place, said, name, total in sums
        if said != total
    ]
    counted = [part for part in parts if part is not None]
    if len(counted) == len(parts):
        for place, said, found in _ledger_totals(stated, Counts.total(counted), rejected):
            if said != found:
                detail = f"it says {said!r:.200}, the ledger has {found!r:.200}"
                findings.append(Finding(Code.COUNT_MISMATCH, MANIFEST_FILE, place, detail))
    return findings


def _ledger_totals(
    stated: StatedDataset, ledger: Counts, rejected: LedgerCheck
) -> Iterator[tuple[str, object, object]]:
    yield "counts.images.written", stated.images["written"], ledger.images_written
    yield "counts.images.repaired", stated.images["repaired"], ledger.images_repaired
    # A rejected row without a name is of an image or of something else; the rows alone do not tell.
    nameless = ledger.images_rejected - stated.images["rejected"]
    if not 0 <= nameless <= rejected.nameless:
        yield "counts.images.rejected", stated.images["rejected"], ledger.images_rejected
    yield "counts.boxes.read", stated.boxes["read"], ledger.boxes_read
    yield "counts.boxes.written", stated.boxes["written"], ledger.boxes_written
    yield "counts.boxes.repaired", stated.boxes["repaired"], ledger.boxes_repaired
    yield "counts.boxes.dropped", stated.boxes["dropped"], ledger.boxes_dropped
    yield "reasons", dict(stated.reasons), dict(sorted(ledger.reasons.items()))


def _seen(reports: Sequence[ShardReport]) -> tuple[set[str], set[str]]:
    """Optional keys and picture formats of all records."""
    return (
        set[str]().union(*(report.optional_keys for report in reports)),
        set[str]().union(*(report.formats for report in reports)),
    )


def _split_records(reports: Sequence[ShardReport]) -> SplitRecords:
    none = ShardReport(("", 0), "")  # type: ignore[arg-type]
    parts = [none, *reports]  # NumPy joins no empty list of arrays
    return SplitRecords(
        np.concatenate([report.source_ids for report in parts]),
        np.concatenate([report.picture_hashes for report in parts]),
        np.concatenate([report.boxes for report in parts]),
        np.concatenate([report.edge_sums for report in parts]),
        sum((report.classes for report in parts), Counter()),
    )


def _unique(findings: Sequence[Finding]) -> list[Finding]:
    """Each finding once: a file may be met on two ways."""
    unique: dict[tuple[Code, str, str], Finding] = {}
    for finding in findings:
        what = "" if finding.code is Code.FILE_MISSING else finding.place + finding.detail
        unique.setdefault((finding.code, finding.file, what), finding)
    return list(unique.values())
