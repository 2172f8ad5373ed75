from __future__ import annotations

import io
from typing import Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.sample_data import voc, voc_object
from transforms.annotations.voc import read, sniff
from transforms.records import AnnotatedImage, Box, ReadContext, Reading, Rejection


def reading(text: str | bytes, file: str = "a.xml", origin: Literal[0, 1] = 0) -> Reading:
    data = text if isinstance(text, bytes) else text.encode()
    (found,) = read(io.BytesIO(data), ReadContext("photos", file, origin))
    return found


def image(text: str, file: str = "a.xml", origin: Literal[0, 1] = 0) -> AnnotatedImage:
    found = reading(text, file, origin)
    assert isinstance(found, AnnotatedImage)
    return found


SAMPLE = "a.xml", voc("b.jpg", [voc_object("고양이", (5, 6, 15, 16))])


@pytest.mark.parametrize(
    ("origin", "box"), [(0, Box(5, 6, 15, 16)), (1, Box(4, 5, 15, 16))], ids=["edges", "pixel indices from 1"]
)
def test_edges_by_origin(origin: Literal[0, 1], box: Box) -> None:
    (item,) = image(voc("b.jpg", [voc_object("cat", (5, 6, 15, 16))]), origin=origin).objects
    assert item.box == box


def test_first_pixel_alone_is_a_box_of_one_pixel() -> None:
    (item,) = image(voc("b.jpg", [voc_object("cat", (1, 1, 1, 1))]), origin=1).objects
    assert item.box == Box(0, 0, 1, 1)


def test_fields_of_objects() -> None:
    more = "<pose> Left </pose><truncated>1</truncated><difficult>0</difficult><occluded>1</occluded>"
    found = image(voc("b.jpg", [voc_object(" big \n cat ", more=more)]))
    assert (found.file_name, found.image_id, found.width, found.height) == ("b.jpg", "", 40, 30)
    (item,) = found.objects
    assert (item.class_name, item.position, item.pose) == ("big cat", "object 1", "Left")
    assert (item.truncated, item.difficult, item.occluded, item.is_crowd) == (True, False, True, None)


@pytest.mark.parametrize(
    ("file", "named", "file_name", "folder"),
    [
        ("a.xml", "b.jpg", "b.jpg", ""),
        ("a.xml", None, "a", ""),
        ("train/1.xml", " b.jpg ", "b.jpg", "train"),
        ("train/Annotations/1.xml", "x/b.jpg", "x/b.jpg", "train/Annotations"),
        ("train/1.xml", "C:\\x\\b.jpg", "C:\\x\\b.jpg", "train"),
    ],
)
def test_file_name_and_folder(file: str, named: str | None, file_name: str, folder: str) -> None:
    found = image(voc(named), file)
    assert (found.file_name, found.folder) == (file_name, folder)


@given(st.binary(max_size=60) | st.text(st.sampled_from("<>/&;a ![]\"'=annotation"), max_size=40).map(str.encode))
def test_any_bytes_are_an_image_or_a_rejection(data: bytes) -> None:
    assert isinstance(reading(data), AnnotatedImage | Rejection)


@given(st.integers(0, 400), st.binary(max_size=4))
def test_damaged_file_is_an_image_or_a_rejection(position: int, noise: bytes) -> None:
    data = voc("한글.jpg", [voc_object("고양이")]).encode()
    assert isinstance(reading(data[:position] + noise + data[position + len(noise) :]), AnnotatedImage | Rejection)


@pytest.mark.parametrize(
    ("head", "is_voc"),
    [
        (b'<?xml version="1.0"?>\n<annotation verified="yes">', True),
        (b"<annotation/>", True),
        ("<annotation>".encode("utf-16"), True),
        (b"<annotations>", False),
        (b'{"annotations": []}', False),
        (b"", False),
    ],
)
def test_sniffing(head: bytes, is_voc: bool) -> None:
    assert sniff(head) == is_voc
