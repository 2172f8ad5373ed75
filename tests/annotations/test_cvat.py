from __future__ import annotations

import io
from typing import Any
from xml.sax.saxutils import quoteattr

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from tests.annotations.reading import image, images, readings, reasons
from transforms.annotations.cvat import read, sniff
from transforms.records import (
    AnnotatedImage,
    Box,
    DeclaredClasses,
    ImageLabel,
    Keypoint,
    MaskBitmap,
    ObjectAnnotation,
    Polygons,
    Rejection,
)

coordinates = st.floats(-10, 500, allow_nan=False).map(lambda value: round(value, 2))
edges = st.tuples(coordinates, coordinates, coordinates, coordinates)
names = st.sampled_from(["cat", "고양이", "big dog", "<&>"])


def tag(name: str, /, *inner: str, **attributes: Any) -> str:
    written = "".join(f" {key}={quoteattr(str(value))}" for key, value in attributes.items())
    return f"<{name}{written}>{''.join(inner)}</{name}>"


def box(box: Any = (1, 2, 11, 22), *inner: str, label: str = "cat", **more: Any) -> str:
    return tag("box", *inner, label=label, **dict(zip(("xtl", "ytl", "xbr", "ybr"), box, strict=False)), **more)


def cvat_image(*shapes: str, name: str = "a.jpg", **more: Any) -> str:
    return tag("image", *shapes, id=0, name=name, width=40, height=30, **more)


def meta(*labels: str, more: str = "") -> str:
    return tag("meta", tag("task", tag("id", "5"), tag("labels", *labels), more))


def label(name: str, parent: str = "") -> str:
    return tag("label", tag("name", name), tag("attributes"), tag("parent", parent) if parent else "")


def cvat(*children: str) -> str:
    start = '<?xml version="1.0" encoding="utf-8"?>\n<annotations>\n<version>1.1</version>'
    return f"{start}{''.join(children)}</annotations>"


def attribute(name: str, value: str) -> str:
    return f'<attribute name="{name}">{value}</attribute>'


SAMPLE = "annotations.xml", cvat(cvat_image(box(label="고양이")))


@given(st.lists(st.lists(st.tuples(names, edges, st.booleans()), max_size=3), max_size=3))
def test_what_was_written_is_read(drawn: list[Any]) -> None:
    written = [
        cvat_image(*(box(b, label=name, occluded=int(hidden)) for name, b, hidden in shapes), name=f"{index}.jpg")
        for index, shapes in enumerate(drawn)
    ]
    found = images(read, cvat(meta(label("cat")), *written), "x/a.xml")
    assert [(item.file_name, item.folder, item.width, item.height) for item in found] == [
        (f"{index}.jpg", "x", 40, 30) for index in range(len(drawn))
    ]
    for item, shapes in zip(found, drawn, strict=True):
        assert list(item.objects) == [
            ObjectAnnotation(Box(*b), name, position=f"object {index + 1}", occluded=hidden)
            for index, (name, b, hidden) in enumerate(shapes)
        ]


def test_attributes_tags_and_subset() -> None:
    inner = [attribute("difficult", "true"), attribute("Truncated", "false"), attribute("track_id", "3")]
    found = image(read, cvat(cvat_image(box((1, 2, 3, 4), *inner), tag("tag", label="night"), subset="Validation")))
    (item,) = found.objects
    assert (item.difficult, item.truncated, item.occluded, item.track_id) == (True, False, None, "3")
    assert (found.labels, found.split) == ((ImageLabel("night"),), "val")


def test_classes_are_declared_in_their_order_with_points_of_skeletons() -> None:
    labels = [label("dog"), label("nose", "person"), label("person"), label("eye", "person"), label("")]
    assert readings(read, cvat(meta(*labels))) == [
        DeclaredClasses((("dog", 1), ("person", 2)), (("person", ("nose", "eye")),))
    ]


def test_polygon_ellipse_and_turned_box() -> None:
    shapes = [
        tag("polygon", label="cat", points="1,2;11,2;11.5,22"),
        tag("ellipse", label="cat", cx=10, cy=20, rx=4, ry=2, rotation=90),
        box((10, 10, 30, 20), rotation=90),
    ]
    polygon, ellipse, turned = image(read, cvat(cvat_image(*shapes))).objects
    assert (polygon.box, polygon.mask) == (Box(1, 2, 11.5, 22), Polygons(((1, 2, 11, 2, 11.5, 22),)))
    assert ellipse.box == pytest.approx(Box(8, 16, 12, 24))
    assert turned.box == pytest.approx(Box(15, 5, 25, 25))
    assert isinstance(turned.mask, Polygons)
    assert turned.mask.rings[0] == pytest.approx((25, 5, 25, 25, 15, 25, 15, 5))


@given(st.integers(1, 5), st.integers(1, 4), st.data())
def test_mask_is_run_lengths_along_rows(width: int, height: int, data: st.DataObject) -> None:
    pixels = np.array(data.draw(st.lists(st.booleans(), min_size=width * height, max_size=width * height)))
    runs, value = [0], False
    for pixel in pixels:
        if pixel != value:
            runs, value = [*runs, 0], pixel
        runs[-1] += 1
    mask = tag("mask", label="cat", rle=", ".join(map(str, runs)), left=7, top=9, width=width, height=height)
    if not pixels.any():
        assert reasons(read, cvat(cvat_image(mask))) == ["-box_empty"]
        return
    (item,) = image(read, cvat(cvat_image(mask))).objects
    assert isinstance(item.mask, MaskBitmap)
    drawn = np.zeros((height, width), bool)
    crop = np.asarray(Image.open(io.BytesIO(item.mask.data)))
    x, y = item.mask.x, item.mask.y
    drawn[y - 9 : y - 9 + crop.shape[0], x - 7 : x - 7 + crop.shape[1]] = crop
    assert (drawn == pixels.reshape(height, width)).all()
    assert item.box == Box(x, y, x + crop.shape[1], y + crop.shape[0])


@pytest.mark.parametrize("rle", ["", "1", "1,x", "-1,5", "100000000000000000000"])
def test_mask_that_does_not_fill_its_box_leaves_the_box(rle: str) -> None:
    (item,) = image(read, cvat(cvat_image(tag("mask", label="a", rle=rle, left=0, top=0, width=2, height=2)))).objects
    assert (item.box, item.mask) == (Box(0, 0, 2, 2), MaskBitmap(b""))


def test_skeleton() -> None:
    points = [
        tag("points", label="eye", outside=0, occluded=1, points="5,6"),
        tag("points", label="nose", outside=0, occluded=0, points="1,9"),
        tag("points", label="ear", outside=1, occluded=0, points="0,0"),
    ]
    labels = [label("person"), *(label(part, "person") for part in ("nose", "eye", "ear", "tail"))]
    (item,) = image(read, cvat(meta(*labels), cvat_image(tag("skeleton", *points, label="person")))).objects
    assert item.box == Box(1, 6, 5, 9)
    assert item.keypoints == (Keypoint(1, 9, 2), Keypoint(5, 6, 1), Keypoint(0, 0, 0), Keypoint(0, 0, 0))


VIDEO = tag("frame_filter") + tag("original_size", tag("width", "1280"), tag("height", "720"))


def track(*shapes: str, track_id: Any = 4, **more: Any) -> str:
    return tag("track", *shapes, id=track_id, label="car", **more)


def frames(*children: str) -> dict[str, list[Box]]:
    found = images(read, cvat(*children))
    return {item.file_name: [shape.box for shape in item.objects] for item in sorted(found, key=lambda i: i.file_name)}


def test_track_is_interpolated_between_key_frames_until_it_is_outside() -> None:
    shapes = [
        box((0, 0, 10, 10), frame=2, outside=0),
        box((30, 3, 40, 13), frame=5, outside=0),
        box((30, 3, 40, 13), frame=7, outside=1),
        box((50, 0, 60, 10), frame=10, outside=0),
    ]
    assert frames(meta(more=VIDEO), track(*shapes)) == {
        "frame_000002": [Box(0, 0, 10, 10)],
        "frame_000003": [Box(10, 1, 20, 11)],
        "frame_000004": [Box(20, 2, 30, 12)],
        "frame_000005": [Box(30, 3, 40, 13)],
        "frame_000006": [Box(30, 3, 40, 13)],
        "frame_000010": [Box(50, 0, 60, 10)],
    }


def test_frames_between_are_those_of_the_frame_filter() -> None:
    shapes = [box((0, 0, 10, 10), frame=0), box((40, 0, 50, 10), frame=20)]
    more = tag("frame_filter", "step=5")
    assert [*frames(meta(more=more), track(*shapes))] == [f"frame_{n:06d}" for n in (0, 5, 10, 15, 20)]


def test_frame_knows_its_track_video_and_size() -> None:
    more = VIDEO + tag("source", "C:\\videos\\거리.mp4") + tag("subset", "Train")
    (found,) = images(read, cvat(meta(more=more), track(box(frame=3, occluded=1))), "x/a.xml")
    assert (found.file_name, found.folder, found.is_named_by_file) == ("frame_000003", "x", True)
    assert (found.width, found.height, found.split, found.fields) == (1280, 720, "train", (("video", "거리.mp4"),))
    (item,) = found.objects
    assert (item.track_id, item.occluded, item.position) == ("4", True, "track 4, frame 3")


def test_tasks_of_a_project_have_frames_of_their_own() -> None:
    tasks = [tag("task", tag("id", str(n)), tag("source", f"{n}.mp4")) for n in (1, 2)]
    project = tag("meta", tag("project", tag("tasks", *tasks)))
    found = images(read, cvat(project, track(box(frame=0), task_id=1), track(box(frame=0), task_id=2)))
    assert sorted(item.fields for item in found) == [(("video", f"{n}.mp4"), ("task", str(n))) for n in (1, 2)]


def test_long_gap_is_no_bomb() -> None:
    assert len(frames(track(box(frame=0), box(frame=10**9)))) == 2


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ("", ["!annotation_unreadable"]),
        ("<annotations>", ["!annotation_unreadable"]),
        ("<annotation/>", ["!annotation_unreadable"]),
        (b"\xff\xff\x81", ["!annotation_unreadable"]),
        ("<annotations>" + "<a>" * 200_000, ["!annotation_unreadable"]),
        ('<!DOCTYPE a [<!ENTITY b "c">]><annotations/>', ["!xml_dtd_refused"]),
        ("<!DOCTYPE annotations><annotations/>", ["!xml_dtd_refused"]),
        (cvat(cvat_image(box()))[:-40], ["!annotation_unreadable"]),
        (cvat(cvat_image(box()))[:-5], ["ok", "!annotation_unreadable"]),
        (cvat("<image><box/></image>"), ["!field_missing", "-field_missing"]),
        (cvat(cvat_image(box(), name=" ")), ["!field_missing", "-field_missing"]),
        (cvat(cvat_image(box(label=" "))), ["-field_missing"]),
        (cvat(cvat_image("<box/>")), ["-field_missing"]),
        (cvat(cvat_image(box((1, 2, 3)))), ["-field_missing"]),
        (cvat(cvat_image(box((1, 2, 3, "x")))), ["-field_not_number"]),
        (cvat(cvat_image(box((1, 2, 3, "1,5")))), ["-field_not_number"]),
        (cvat(cvat_image(box((1, 2, 3, "nan")))), ["ok"]),  # the check of boxes drops it
        (cvat(cvat_image(box(rotation="?"))), ["-field_not_number"]),
        (cvat(cvat_image(box(rotation="inf"))), ["ok"]),
        (cvat(cvat_image(tag("polyline", label="a", points="1,2;3,4"))), ["-shape_unsupported"]),
        (cvat(cvat_image(tag("points", label="a", points="1,2"))), ["-shape_unsupported"]),
        (cvat(cvat_image(tag("cuboid", label="a"))), ["-shape_unsupported"]),
        (cvat(cvat_image(tag("polygon", label="a", points=""))), ["-field_missing"]),
        (cvat(cvat_image(tag("polygon", label="a", points="1,2;3"))), ["-field_missing"]),
        (cvat(cvat_image(tag("polygon", label="a", points="1,2;3,x"))), ["-field_not_number"]),
        (cvat(cvat_image(tag("mask", label="a", left=0, top=0, width=-1, height=1))), ["-box_empty"]),
        (cvat(cvat_image(tag("mask", label="a", left="inf", top=0, width=1, height=1, rle="0,1"))), ["ok"]),
        (cvat(cvat_image(tag("skeleton", label="a"))), ["-field_missing"]),
        (cvat(track(box())), ["!orphan_annotation", "-orphan_annotation"]),
        (cvat(track(box(frame=-1), box(frame="x"))), ["!orphan_annotation", *["-orphan_annotation"] * 2]),
        (cvat(track(box((1, 2), frame=1))), ["-field_missing"]),
        (cvat(track(box((1, 2), frame=1, outside=1))), []),
        (cvat(tag("track", box(frame=1), id=1)), ["-field_missing"]),
        (cvat("<unknown/>"), []),
    ],
)  # fmt: skip
def test_awkward(content: Any, expected: list[str]) -> None:
    assert reasons(read, content) == expected


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "cp949"])
@pytest.mark.parametrize("declared", ["utf-8", "euc-kr", "utf-16", "nonsense"])
def test_encodings(encoding: str, declared: str) -> None:
    text = cvat(cvat_image(box(label="고양이"))).replace("utf-8", declared)
    found = image(read, text.encode(encoding))
    assert found.objects[0].class_name == "고양이"
    assert found.repairs == (("encoding_cp949",) if encoding == "cp949" else ())


@given(st.integers(0, 700), st.binary(max_size=4) | st.sampled_from([b"<", b'"', b"/>", b"9e999"]))
def test_damaged_file_is_rows(position: int, noise: bytes) -> None:
    data = cvat(meta(label("cat"), more=VIDEO), cvat_image(box()), track(box(frame=1), box(frame=3))).encode()
    for found in readings(read, data[:position] + noise + data[position + len(noise) :]):
        assert isinstance(found, AnnotatedImage | Rejection | DeclaredClasses)


@pytest.mark.parametrize(
    ("head", "is_cvat"),
    [
        (cvat()[:90].encode(), True),
        (cvat().encode("utf-16"), True),
        (b"<annotations><image id='0'", True),
        (b"<annotations>", False),
        (b"<annotation><version>", False),
        (b"", False),
    ],
)
def test_sniffing(head: bytes, is_cvat: bool) -> None:
    assert sniff(head) == is_cvat
