from __future__ import annotations

import io
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.annotations.folder_reading import claims, class_ids, images, read_data, read_folder, reasons
from transforms.annotations.mot import read
from transforms.records import AnnotatedImage, Box, ReadContext, Rejection

INFO = "[Sequence]\nname=MOT16-02\nimDir=img1\nframeRate=30\nseqLength=3\nimWidth=1920\nimHeight=1080\nimExt=.jpg\n"
LINE = "1,7,5,6,10,20,1,1,1"
FIRST = "/img1/000001.jpg"


SAMPLE = "gt.txt", f"{LINE}\n2{LINE[1:]}\n"


@given(
    st.lists(
        st.tuples(st.integers(1, 3), st.integers(1, 99), *[st.floats(0.5, 999, allow_subnormal=False)] * 4),
        unique=True,
        max_size=12,
    )
)
def test_written_objects_are_read(rows: list[tuple[int, int, float, float, float, float]]) -> None:
    lines = [",".join(map(repr, row)) + ",1,3,0.5" for row in rows]
    found = images(read_data("mot", "\n".join(lines), "gt.txt"))
    for frame in {row[0] for row in rows}:
        assert [(item.track_id, item.box) for item in found[f"/img1/{frame:06d}.jpg"].objects] == [
            (str(track), Box(x, y, x + width, y + height))
            for number, track, x, y, width, height in rows
            if number == frame
        ]


@pytest.mark.parametrize(
    ("line", "class_name", "occluded"),
    [
        (LINE, "pedestrian", False),
        ("1,7,5,6,10,20,1,3,0.25", "car", True),
        ("1,7,5,6,10,20,1,-1,-1,-1", "pedestrian", None),
        ("1,7,5,6,10,20,1,-1,-1", "pedestrian", None),
    ],
)
def test_classes_and_visibility(line: str, class_name: str, occluded: bool | None) -> None:
    readings = read_data("mot", line, "gt.txt")
    (item,) = images(readings)[FIRST].objects
    assert (item.class_name, item.occluded, item.track_id, item.box) == (class_name, occluded, "7", Box(5, 6, 15, 26))
    assert class_ids(readings)["pedestrian"] == 1


def test_pixels_counted_from_1() -> None:
    (found,) = images(list(read(io.BytesIO(LINE.encode()), ReadContext("photos", "gt.txt", 1)))).values()
    assert found.objects[0].box == Box(4, 5, 14, 25)


AWKWARD = {
    "not evaluated": ("1,8,1,2,3,4,0,1,1", "ignore_region"),
    "no such class": ("1,8,1,2,3,4,1,14,1", "unknown_class"),
    "class nan": ("1,8,1,2,3,4,1,nan,1", "unknown_class"),
    "zero width": ("1,8,1,2,0,4,1,1,1", "box_empty"),
    "no number": ("1,8,1,x,3,4,1,1,1", "field_not_number"),
    "the same line again": (LINE, "dup_box"),
}


@pytest.mark.parametrize("case", AWKWARD)
def test_awkward_line(case: str) -> None:
    line, reason = AWKWARD[case]
    found = images(read_data("mot", f"{LINE}\r\n{line}\r\n", "gt.txt"))[FIRST]
    assert reasons(found) == [f"line 2: {reason}"]
    assert len(found.objects) == 1


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("1,8,1,2,3", "field_count"),
        ("0,8,1,2,3,4,1,1,1", "field_not_number"),
        ("1.5,8,1,2,3,4,1,1,1", "field_not_number"),
        ("nan,8,1,2,3,4,1,1,1", "field_not_number"),
        ("9999999,8,1,2,3,4,1,1,1", "field_not_number"),
    ],
)
def test_line_of_no_frame(line: str, reason: str) -> None:
    readings = read_data("mot", f"{LINE}\n{line}", "gt.txt")
    assert [(item.reason, len(item.problems)) for item in readings if isinstance(item, Rejection)] == [(reason, 1)]
    assert set(images(readings)) == {FIRST}


def test_sequences_of_a_folder(tmp_path: Path) -> None:
    files: dict[str, str | bytes] = {
        "train/MOT16-02/gt/gt.txt": LINE,
        "train/MOT16-02/det/det.txt": "1,-1,5,6,10,20,0.9,-1,-1,-1",
        "train/MOT16-02/seqinfo.ini": INFO,
        "train/MOT16-04/gt/gt.txt": LINE,
        "train/MOT16-04/gt/labels.txt": "bus\ntram\n",
        "seqmaps/all.txt": "name\nMOT16-02\n",
    }
    readings = read_folder(tmp_path, files)
    found = images(readings)
    assert {name: len(item.objects) for name, item in found.items()} == {
        "train/MOT16-02/img1/000001.jpg": 1,
        "train/MOT16-02/img1/000002.jpg": 0,
        "train/MOT16-02/img1/000003.jpg": 0,
        "train/MOT16-04/img1/000001.jpg": 1,
    }
    first, other = found["train/MOT16-02/img1/000002.jpg"], found["train/MOT16-04/img1/000001.jpg"]
    assert (first.width, first.height, first.split, first.fields) == (1920, 1080, "train", (("video", "MOT16-02"),))
    assert (other.objects[0].class_name, other.fields) == ("bus", (("video", "MOT16-04"),))
    assert not [item for item in readings if isinstance(item, Rejection)]


def test_sequence_given_by_its_folder_of_truth(tmp_path: Path) -> None:
    files = {"gt/gt.txt": LINE, "seqinfo.ini": INFO.replace("img1", "frames"), "frames/000001.jpg": b""}
    found = images(read_folder(tmp_path, files, annotations="gt"))
    assert "frames/000001.jpg" in found
    assert len(found) == 3


@pytest.mark.parametrize("info", ["no section", INFO.replace("=3", "=99999999"), b"\xff\xff"])
def test_broken_description(info: str | bytes, tmp_path: Path) -> None:
    (refused,) = read_folder(tmp_path, {"gt/gt.txt": LINE, "seqinfo.ini": info})
    assert isinstance(refused, Rejection)
    assert refused.reason == "annotation_unreadable"


@given(st.binary(max_size=60) | st.text(st.sampled_from("0123,-.\n"), max_size=60).map(str.encode))
def test_any_bytes_are_accounted_for(data: bytes) -> None:
    for reading in read_data("mot", data, "gt.txt"):
        if isinstance(reading, AnnotatedImage):
            assert reading.file_name.startswith("/img1/")


@pytest.mark.parametrize(
    ("head", "is_mot"),
    [
        (LINE, True),
        ("1,-1,10.5,20,30,40,1,-1,-1,-1", True),
        ("684,8,273,116,1,4,1,2", False),
        ("0,7,5,6,10,20,1,1,1", False),
        ("1 7 5 6 10 20 1 1 1", False),
    ],
)
def test_sniffing(head: str, is_mot: bool) -> None:
    assert ("mot" in claims(head)) == is_mot
    assert len(claims(head)) <= 1
