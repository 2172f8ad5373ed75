"""Every byte of a shard is accounted for: turned over, cut off, moved, lost or doubled, it is found."""

from __future__ import annotations

import dataclasses
import hashlib
import io
import random
import shutil
from pathlib import Path

import pytest

from tests.verification.tiny_dataset import (
    change_manifest,
    codes_of,
    findings_of,
    flipped,
    read_payloads,
    shard_files,
    write_payloads,
)
from transforms.shards.manifest import read_manifest
from transforms.shards.record_framing import FramingError, frame_record, read_records
from transforms.verification.check_shard import MAX_FINDINGS, ShardSettings, check_shard, check_shard_stream
from transforms.verification.findings import Code
from transforms.verification.stated_dataset import StatedShard, parse_manifest


class _Shard:
    """A shard's bytes and what is needed to check others in their place."""

    def __init__(self, folder: Path):
        stated = parse_manifest(read_manifest(str(folder)))
        path = shard_files(folder)[0]
        self.data = path.read_bytes()
        self.stated: StatedShard = next(shard for shard in stated.shards if shard.file == path.name)
        self.settings = ShardSettings(str(folder), stated.fingerprint, stated.class_ids, "none")

    def codes(self, data: bytes) -> set[Code]:
        report, _ = check_shard_stream(io.BytesIO(data), self.stated, self.settings)
        return {finding.code for finding in report.findings}


@pytest.fixture(scope="module")
def shard(whole: Path) -> _Shard:
    return _Shard(whole)


def _is_framed(data: bytes) -> bool:
    try:
        list(read_records(io.BytesIO(data)))
    except FramingError:
        return False
    return True


def _flips(shard: _Shard, number: int) -> None:
    rng = random.Random(number)
    for _ in range(number):
        data = flipped(shard.data, rng)
        assert Code.SHARD_DIGEST in shard.codes(data)
        assert not _is_framed(data), "the framing alone tells a flipped byte too"


def test_whole_dataset_has_no_findings(whole: Path) -> None:
    assert findings_of(whole) == []


def test_whole_shard_has_no_findings(shard: _Shard) -> None:
    assert shard.codes(shard.data) == set()


def test_flipped_bytes(shard: _Shard) -> None:
    _flips(shard, 200)


@pytest.mark.slow
def test_many_flipped_bytes(shard: _Shard) -> None:
    _flips(shard, 2000)


def test_cut_at_every_offset(shard: _Shard) -> None:
    missed = [size for size in range(len(shard.data)) if Code.SHARD_SIZE not in shard.codes(shard.data[:size])]
    assert missed == []


def test_cut_between_records_is_told_by_framing_of_none_but_by_counts(shard: _Shard) -> None:
    """A cut after a whole record is the one that readers of TFRecords cannot see."""
    first_end = 12 + len(next(read_records(io.BytesIO(shard.data)))) + 4
    data = shard.data[:first_end]
    assert _is_framed(data)
    assert {Code.SHARD_SIZE, Code.COUNT_MISMATCH} <= shard.codes(data)


def test_appended_bytes(shard: _Shard) -> None:
    assert {Code.SHARD_SIZE, Code.SHARD_FRAMING} <= shard.codes(shard.data + b"\0")


def test_huge_stated_length_asks_for_no_more_than_there_is(shard: _Shard) -> None:
    class Length(bytes):
        def __len__(self) -> int:
            return 2**62

    header = frame_record([Length(b"")])[0]
    assert Code.SHARD_FRAMING in shard.codes(header)


def test_removed(dataset: Path) -> None:
    shard_files(dataset)[0].unlink()
    assert Code.FILE_MISSING in codes_of(dataset)


def test_unreadable(dataset: Path) -> None:
    path = shard_files(dataset)[0]
    path.unlink()
    path.mkdir()
    assert Code.FILE_UNREADABLE in codes_of(dataset)


def test_copied_over_another(dataset: Path) -> None:
    first, second, *_ = shard_files(dataset)
    shutil.copy(first, second)
    found = {finding.code for finding in findings_of(dataset) if finding.file == second.name}
    assert {Code.SHARD_SWAPPED, Code.SHARD_DIGEST} <= found
    assert {Code.SOURCE_ID_REPEATED, Code.FILE_NAME_REPEATED} <= codes_of(dataset)


def test_copied_as_an_extra_file(dataset: Path) -> None:
    shutil.copy(shard_files(dataset)[0], dataset / "tiny-train.tfrecord-00003-of-00003")
    [finding] = findings_of(dataset)
    assert (finding.code, finding.file) == (Code.FILE_EXTRA, "tiny-train.tfrecord-00003-of-00003")


def test_two_swapped(dataset: Path) -> None:
    first, second, *_ = shard_files(dataset)
    first_data = first.read_bytes()
    first.write_bytes(second.read_bytes())
    second.write_bytes(first_data)
    swapped = {finding.file for finding in findings_of(dataset) if finding.code is Code.SHARD_SWAPPED}
    assert swapped == {first.name, second.name}


def _restate(folder: Path) -> None:
    """Makes the manifest agree with the shards' bytes and numbers of records, as a forger would."""
    manifest = read_manifest(str(folder))
    for split in manifest["splits"].values():
        for entry in split["shards"]:
            data = (folder / entry["file"]).read_bytes()
            entry["bytes"], entry["sha256"] = len(data), hashlib.sha256(data).hexdigest()
            entry["records"] = len(list(read_records(io.BytesIO(data))))
        split["records"] = sum(entry["records"] for entry in split["shards"])
        split["bytes"] = sum(entry["bytes"] for entry in split["shards"])
    change_manifest(folder, manifest)


@pytest.mark.parametrize("is_restated", [False, True], ids=["manifest as it was", "manifest made to agree"])
@pytest.mark.parametrize("change", ["dropped", "doubled", "exchanged"])
def test_record_with_valid_framing(dataset: Path, change: str, is_restated: bool) -> None:
    path = shard_files(dataset)[0]
    payloads = read_payloads(path)
    changed = {
        "dropped": payloads[:-1],
        "doubled": [*payloads, payloads[0]],
        "exchanged": [payloads[1], payloads[0], *payloads[2:]],
    }[change]
    write_payloads(path, changed)
    if is_restated:
        _restate(dataset)
    found = codes_of(dataset)
    assert Code.LEDGER_ROW in found
    assert (Code.SHARD_DIGEST in found) != is_restated


def test_two_swapped_and_manifest_made_to_agree(dataset: Path) -> None:
    first, second, *_ = shard_files(dataset)
    first_data = first.read_bytes()
    first.write_bytes(second.read_bytes())
    second.write_bytes(first_data)
    _restate(dataset)
    assert Code.LEDGER_ROW in codes_of(dataset)


def test_findings_of_a_hopeless_shard_are_counted_not_kept(dataset: Path) -> None:
    path = shard_files(dataset)[0]
    write_payloads(path, [b""] * (MAX_FINDINGS + 7))
    stated = parse_manifest(read_manifest(str(dataset)))
    shard = next(shard for shard in stated.shards if shard.file == path.name)
    report = check_shard(shard, ShardSettings(str(dataset), stated.fingerprint, stated.class_ids))
    assert len(report.findings) == MAX_FINDINGS + 1
    assert report.findings[-1].code is Code.FINDINGS_OMITTED
    assert "more findings" in report.findings[-1].detail


def test_records_are_reported_as_they_come(shard: _Shard) -> None:
    sizes: list[int] = []
    check_shard_stream(io.BytesIO(shard.data), shard.stated, shard.settings, sizes.append)
    assert (len(sizes), sum(sizes)) == (shard.stated.records, shard.stated.bytes)


def test_a_wrong_number_of_boxes_is_found(shard: _Shard) -> None:
    stated = dataclasses.replace(shard.stated, boxes=shard.stated.boxes + 1)
    report, _ = check_shard_stream(io.BytesIO(shard.data), stated, shard.settings)
    assert [finding.code for finding in report.findings] == [Code.COUNT_MISMATCH]
