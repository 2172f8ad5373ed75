from __future__ import annotations

import gzip
import io
from pathlib import Path
from typing import Any

import pytest

from tests.sample_data import write_files
from transforms.annotations.companion_files import FolderCompanions
from transforms.annotations.tfrecord import read, sniff
from transforms.examples.wire_format import BYTES, FLOAT, INT64, Value, encode_example
from transforms.records import (
    AnnotatedImage,
    Box,
    DeclaredClasses,
    ObjectAnnotation,
    ReadContext,
    Reading,
    RecordAddress,
    Rejection,
)
from transforms.shards.record_framing import frame_record

FILE = "train.record-00000-of-00001"


def example(features: dict[str, Value]) -> bytes:
    return b"".join(encode_example(features))


def tfod(**changes: Value | None) -> dict[str, Value]:
    """The features that the TF Object Detection API's writers give a picture with two boxes; "/" is "_" in keywords."""
    features: dict[str, Value | None] = {
        "image/encoded": (BYTES, [b"the picture"]),
        "image/format": (BYTES, [b"jpeg"]),
        "image/filename": (BYTES, [b"a/1.jpg"]),
        "image/source_id": (BYTES, [b"17"]),
        "image/height": (INT64, [30]),
        "image/width": (INT64, [40]),
        "image/object/bbox/xmin": (FLOAT, [0.0, 0.5]),
        "image/object/bbox/ymin": (FLOAT, [0.25, 0.0]),
        "image/object/bbox/xmax": (FLOAT, [0.5, 1.0]),
        "image/object/bbox/ymax": (FLOAT, [0.75, 1.0]),
        "image/object/class/text": (BYTES, [b"cat", "개".encode()]),
        "image/object/class/label": (INT64, [1, 3]),
    }
    features |= {
        f"image/{'object/' if key in OBJECT_KEYS else ''}{key.replace('_', '/')}": value
        for key, value in changes.items()
    }
    return {key: value for key, value in features.items() if value is not None}


OBJECT_KEYS = ("class_text", "class_label", "bbox_xmin", "bbox_ymax", "difficult", "area")
CAT, DOG = Box(0.0, 0.25, 0.5, 0.75), Box(0.5, 0.0, 1.0, 1.0)


def readings(folder: Path, *payloads: bytes, name: str = FILE, data: bytes | None = None) -> list[Reading]:
    """What is read from a file of these records, with all other files of the folder beside it."""
    data = b"".join(part for payload in payloads for part in frame_record([payload])) if data is None else data
    write_files(folder, {name: data})
    (folder / "work").mkdir(exist_ok=True)
    context = ReadContext(
        "source",
        name,
        companions=FolderCompanions(str(folder), ""),
        path=str(folder / name),
        work_folder=str(folder / "work"),
    )
    return list(read(io.BytesIO(data), context))


def only_image(items: list[Reading]) -> AnnotatedImage:
    (image,) = (item for item in items if isinstance(item, AnnotatedImage))
    return image


def declared(items: list[Reading]) -> tuple[tuple[str, int], ...]:
    return next((item.ids for item in items if isinstance(item, DeclaredClasses)), ())


SAMPLE = FILE, b"".join(frame_record([example(tfod())]))


def test_records_of_the_object_detection_api(tmp_path: Path) -> None:
    payload = example(tfod(difficult=(INT64, [0, 1]), area=(FLOAT, [9.0, 8.0])))
    assert readings(tmp_path, payload) == [
        AnnotatedImage(
            "a/1.jpg",
            "17",
            40,
            30,
            "fractions",
            (
                ObjectAnnotation(CAT, "cat", "0", "record 0, object 0", area=9.0, difficult=False),
                ObjectAnnotation(DOG, "개", "1", "record 0, object 1", area=8.0, difficult=True),
            ),
            source="source",
            annotation_file=FILE,
            record=RecordAddress(str(tmp_path / FILE), 0, len(payload)),
        ),
        DeclaredClasses((("cat", 1), ("개", 3))),
    ]


TFDS: dict[str, Value] = {
    "image": (BYTES, [b"the picture"]),
    "image/filename": (BYTES, [b"1.jpg"]),
    "image/id": (INT64, [17]),
    "objects/bbox": (FLOAT, [0.25, 0.0, 0.75, 0.5, 0.0, 0.5, 1.0, 1.0]),
    "objects/label": (INT64, [0, 2]),
    "objects/is_crowd": (INT64, [0, 1]),
    "objects/area": (INT64, [9, 8]),
}


def test_records_of_tfds(tmp_path: Path) -> None:
    write_files(tmp_path, {"objects-label.labels.txt": "cat\n\n개\n".encode()})
    items = readings(tmp_path, example(TFDS))
    image = only_image(items)
    assert (image.file_name, image.image_id, image.width) == ("1.jpg", "17", None)
    assert [(item.box, item.class_name, item.is_crowd, item.area) for item in image.objects] == [
        (CAT, "cat", False, 9.0),
        (DOG, "개", True, 8.0),
    ]
    assert declared(items) == (("cat", 1), ("개", 3))


def test_gzip_shards_are_unpacked_beside(tmp_path: Path) -> None:
    plain = readings(tmp_path, example(tfod()), example(TFDS))
    data = gzip.compress((tmp_path / FILE).read_bytes())
    packed = readings(tmp_path, name="x.gz", data=data)
    records = [item.record for item in packed if isinstance(item, AnnotatedImage)]
    assert [(record.offset, record.length) for record in records if record] == [
        (item.record.offset, item.record.length) for item in plain if isinstance(item, AnnotatedImage) and item.record
    ]
    assert {Path(record.path).parent for record in records if record} == {tmp_path / "work"}


@pytest.mark.parametrize(
    ("changes", "file_name", "image_id"),
    [
        pytest.param({}, "a/1.jpg", "17", id="all there"),
        pytest.param({"filename": None}, "17.jpeg", "17", id="no name"),
        pytest.param({"filename": (BYTES, [b""])}, "17.jpeg", "17", id="empty name"),
        pytest.param({"filename": (BYTES, [b"\xff\xfe"])}, "17.jpeg", "17", id="name not UTF-8"),
        pytest.param({"filename": (BYTES, [b"../.."])}, "17.jpeg", "17", id="name leads nowhere"),
        pytest.param({"filename": (BYTES, [b"a\x00b"])}, "17.jpeg", "17", id="control character"),
        pytest.param({"filename": None, "format": None}, "17", "17", id="no format either"),
        pytest.param({"filename": None, "source_id": None}, f"{FILE}-00000000.jpeg", "", id="neither name nor id"),
        pytest.param({"source_id": None}, "a/1.jpg", "", id="no id"),
        pytest.param({"source_id": (INT64, [5])}, "a/1.jpg", "5", id="id as number"),
    ],
)
def test_names(tmp_path: Path, changes: dict[str, Any], file_name: str, image_id: str) -> None:
    features = {key: value for key, value in (tfod() | {f"image/{k}": v for k, v in changes.items()}).items() if value}
    image = only_image(readings(tmp_path, example(features)))
    assert (image.file_name, image.image_id) == (file_name, image_id)


TEXTS, LABELS = (BYTES, [b"cat", b"dog"]), (INT64, [1, 3])


@pytest.mark.parametrize(
    ("files", "texts", "labels", "names", "ids"),
    [
        pytest.param({}, TEXTS, LABELS, ["cat", "dog"], [("cat", 1), ("dog", 3)], id="both"),
        pytest.param({}, TEXTS, None, ["cat", "dog"], [], id="texts alone"),
        pytest.param({}, None, (INT64, [0, 1]), ["class_0", "class_1"], [("class_1", 1)], id="labels from 0"),
        pytest.param({}, None, LABELS, ["class_1", "class_3"], [("class_1", 1), ("class_3", 3)],
                     id="labels alone"),
        pytest.param({"label_map.pbtxt": b"item { id: 1 name: 'owl' } item { id: 3 name: 'emu' }"}, None, LABELS,
                     ["owl", "emu"], [("owl", 1), ("emu", 3)], id="label map"),
        pytest.param({"my_label_map.pbtxt": b"item { id: 1 name: 'owl' }"}, None, LABELS,
                     ["owl", "class_3"], [("owl", 1), ("class_3", 3)], id="label map of another name"),
        pytest.param({"labels.csv": b"1,owl\n3,emu\n"}, None, LABELS, ["owl", "emu"], [("owl", 1), ("emu", 3)],
                     id="csv"),
        pytest.param({"labels.txt": b"owl\nfox\nemu\n"}, None, LABELS, ["owl", "emu"],
                     [("owl", 1), ("fox", 2), ("emu", 3)], id="list"),
        pytest.param({"labels.txt": b"???\nowl\n"}, None, LABELS, ["owl", "class_3"],
                     [("owl", 1), ("class_3", 3)], id="list with background"),
        pytest.param({"label_map.pbtxt": b"item { id: 1 name: 'owl' } item { id: 7 name: 'dog' }"}, TEXTS, LABELS,
                     ["cat", "dog"], [("cat", 1), ("owl", 1), ("dog", 7)], id="texts against the label map"),
        pytest.param({}, (BYTES, [b" cat ", b"\xff"]), LABELS, ["cat", "class_3"],
                     [("cat", 1), ("class_3", 3)], id="odd texts"),
    ],
)  # fmt: skip
def test_class_names(
    tmp_path: Path,
    files: dict[str, bytes],
    texts: Value | None,
    labels: Value | None,
    names: list[str],
    ids: list[tuple[str, int]],
) -> None:
    write_files(tmp_path, files)
    items = readings(tmp_path, example(tfod(class_text=texts, class_label=labels)))
    assert [item.class_name for item in only_image(items).objects] == names
    assert declared(items) == tuple(ids)


def test_label_maps_that_cannot_be_used_are_told(tmp_path: Path) -> None:
    write_files(tmp_path, {"label_map.pbtxt": b"item { id: 0 name: 'background' }"})
    rejection, *_ = readings(tmp_path, example(tfod()))
    assert isinstance(rejection, Rejection)
    assert (rejection.reason, rejection.is_image) == ("annotation_unreadable", False)
    assert "label_map.pbtxt" in rejection.detail


@pytest.mark.parametrize(
    ("changes", "kept", "dropped"),
    [
        pytest.param({"class_text": (BYTES, [b"cat"]), "class_label": None}, ["0"], ["1"], id="class missing"),
        pytest.param({"bbox_xmin": (FLOAT, [0.5])}, ["0"], ["1"], id="edge missing"),
        pytest.param({"bbox_ymax": (INT64, [1, 1])}, [], ["0", "1"], id="edges of another kind"),
        pytest.param({"class_label": (INT64, [1, 3, 2])}, ["0", "1"], ["2"], id="class without box"),
        pytest.param({"difficult": (INT64, [1])}, ["0", "1"], [], id="list of another length"),
    ],
)
def test_lists_that_do_not_agree(tmp_path: Path, changes: dict[str, Any], kept: list[str], dropped: list[str]) -> None:
    image = only_image(readings(tmp_path, example(tfod(**changes))))
    assert [item.box_id for item in image.objects] == kept
    assert [(item.box_id, item.status, item.reason) for item in image.problems] == [
        (box_id, "dropped", "field_missing") for box_id in dropped
    ]


@pytest.mark.parametrize(
    ("data", "reason", "boxes"),
    [
        pytest.param(b"\x0a\x05ab", "record_unparsable", 0, id="no Example"),
        pytest.param(b"", "record_without_image", 0, id="empty"),
        pytest.param(example(tfod(encoded=None)), "record_without_image", 2, id="no picture"),
        pytest.param(example(tfod(encoded=(INT64, [1]))), "record_without_image", 2, id="picture of another kind"),
    ],
)
def test_records_that_cannot_be_used(tmp_path: Path, data: bytes, reason: str, boxes: int) -> None:
    rejection, *rest = (item for item in readings(tmp_path, data, example(TFDS)) if isinstance(item, Rejection))
    assert rest == []
    assert (rejection.reason, rejection.is_image, len(rejection.problems)) == (reason, True, boxes)
    assert rejection.detail.startswith("record 0 ")


def test_damage_is_a_row_and_what_follows_is_read(tmp_path: Path) -> None:
    record = b"".join(frame_record([example(tfod())]))
    broken = bytearray(record)
    broken[100] ^= 1
    items = readings(tmp_path, data=bytes(broken) + record + record[:-1])
    assert [getattr(item, "reason", "") for item in items] == ["record_damaged", "", "record_damaged", ""]


@pytest.mark.parametrize("data", [frame_record([b"x"])[0], gzip.compress(frame_record([b"x"])[0], mtime=0), b""])
def test_sniff(data: bytes) -> None:
    assert sniff(data)


@pytest.mark.parametrize("data", [b"x", b"{}", b"\x1f\x8bjunk", gzip.compress(b"{}" * 9, mtime=0), b"\0" * 100])
def test_sniff_refuses(data: bytes) -> None:
    assert not sniff(data)
