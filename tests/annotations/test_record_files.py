from __future__ import annotations

import gzip
import io
import zlib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from transforms.annotations.record_files import Damage, FoundRecord, estimated_records, scan_records, unpack
from transforms.shards.record_framing import FOOTER_BYTES, HEADER_BYTES, frame_record

FRAME = HEADER_BYTES + FOOTER_BYTES
# Short and long; an empty record has no place among the headers that are looked for.
payloads_of_files = st.lists(
    st.binary(min_size=1, max_size=40) | st.binary(min_size=300, max_size=400), min_size=1, max_size=6
)


def framed(payloads: list[bytes]) -> bytes:
    return b"".join(part for payload in payloads for part in frame_record([payload]))


def found(data: bytes) -> list[bytes]:
    return [item.payload for item in scan_records(io.BytesIO(data)) if isinstance(item, FoundRecord)]


def damages(data: bytes) -> list[str]:
    return [item.detail for item in scan_records(io.BytesIO(data)) if isinstance(item, Damage)]


@given(payloads_of_files)
def test_records_are_found_where_they_are(payloads: list[bytes]) -> None:
    data = framed(payloads)
    for record, payload in zip(scan_records(io.BytesIO(data)), payloads, strict=True):
        assert isinstance(record, FoundRecord)
        assert record.payload == payload
        assert data[record.offset : record.offset + FRAME + len(payload)] == framed([payload])


@given(payloads_of_files, st.data())
def test_a_changed_byte_costs_one_record(payloads: list[bytes], draw: st.DataObject) -> None:
    hit = draw.draw(st.integers(0, len(payloads) - 1))
    start = len(framed(payloads[:hit]))
    offset = draw.draw(st.integers(start, start + FRAME + len(payloads[hit]) - 1))
    data = bytearray(framed(payloads))
    data[offset] ^= draw.draw(st.integers(1, 255))
    assert found(bytes(data)) == payloads[:hit] + payloads[hit + 1 :]
    assert len(damages(bytes(data))) == 1


@given(payloads_of_files, st.data())
def test_a_cut_costs_what_was_cut(payloads: list[bytes], draw: st.DataObject) -> None:
    borders = [len(framed(payloads[:count])) for count in range(len(payloads) + 1)]
    end = draw.draw(st.integers(0, borders[-1]))
    data = framed(payloads)[:end]
    assert found(data) == payloads[: sum(border <= end for border in borders) - 1]
    assert len(damages(data)) == (end not in borders)


def test_records_after_a_cut_shard_are_found() -> None:
    """As of shards that were joined with cat, the first of them cut."""
    first, second = framed([b"a" * 100, b"b" * 100]), framed([b"c" * 100, b"d" * 100])
    assert found(first[:-30] + second) == [b"a" * 100, b"c" * 100, b"d" * 100]


def test_a_file_of_zeros_has_no_records() -> None:
    assert found(bytes(3 << 20)) == []
    assert damages(bytes(3 << 20)) == ["there is no record at byte 0; the next one begins nowhere"]


DATA = framed([bytes((number,)) * 5000 for number in range(20)])
PACKED = gzip.compress(DATA, mtime=0)


@pytest.mark.parametrize(
    ("packed", "unpacked", "fault"),
    [
        pytest.param(PACKED, DATA, "", id="whole"),
        pytest.param(gzip.compress(DATA[:777]) + gzip.compress(DATA[777:]), DATA, "", id="two members"),
        pytest.param(gzip.compress(b""), b"", "", id="empty"),
        pytest.param(PACKED[:-4], DATA, "cut after", id="no end"),
        pytest.param(PACKED[:-8] + b"\0\0\0\0" + PACKED[-4:], DATA, "cut after", id="another checksum"),
        pytest.param(b"\x1f\x8b", b"", "cut after 0 bytes", id="magic alone"),
        pytest.param(PACKED + b"junk", DATA, "cut after", id="something behind"),
    ],
)
def test_unpacking(tmp_path: Path, packed: bytes, unpacked: bytes, fault: str) -> None:
    (tmp_path / "a.tfrecord.gz").write_bytes(packed)
    path, found_fault = unpack(str(tmp_path / "a.tfrecord.gz"), str(tmp_path))
    assert Path(path).read_bytes() == unpacked
    assert fault in found_fault
    assert bool(fault) == bool(found_fault)


def test_a_cut_gzip_file_gives_what_it_can(tmp_path: Path) -> None:
    noise = zlib.compress(b"".join(number.to_bytes(4, "big") for number in range(50_000)), 9)
    data = framed([noise] * 3)
    packed = gzip.compress(data)
    (tmp_path / "a").write_bytes(packed[: len(packed) // 2])
    path, fault = unpack(str(tmp_path / "a"), str(tmp_path))
    assert fault
    assert data.startswith(Path(path).read_bytes())
    assert found(Path(path).read_bytes()) == [noise]


def test_a_bomb_is_cut(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("transforms.annotations.record_files._FREE_EXPANSION_BYTES", 1 << 20)
    (tmp_path / "a").write_bytes(gzip.compress(bytes(200 << 20)))
    path, fault = unpack(str(tmp_path / "a"), str(tmp_path))
    assert "grow to more than" in fault
    assert Path(path).stat().st_size < 80 << 20


@pytest.mark.parametrize("compress", [bytes, lambda data: gzip.compress(data, 0)], ids=["plain", "gzip"])
def test_numbers_of_records_are_estimated(tmp_path: Path, compress: type[bytes]) -> None:
    (tmp_path / "a").write_bytes(compress(framed([b"x" * 1000] * 500)))
    assert estimated_records(str(tmp_path / "a")) == pytest.approx(500, rel=0.02)


@pytest.mark.parametrize("data", [b"", b"junk", b"\x1f\x8bjunk", PACKED[:50], DATA[:100]])
def test_damaged_files_count_as_one_record(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "a").write_bytes(data)
    assert estimated_records(str(tmp_path / "a")) == 1
