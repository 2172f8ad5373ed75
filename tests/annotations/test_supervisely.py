from __future__ import annotations

import base64
import io
import json
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from tests.annotations.reading import image, reasons
from tests.sample_data import build_dataset, encoded, png, write_files
from transforms.annotations.companion_files import FolderCompanions
from transforms.annotations.supervisely import read, sniff
from transforms.records import Box, DeclaredClasses, ImageLabel, MaskBitmap, ObjectAnnotation, Polygons, ReadContext

numbers = st.integers(-40, 400)


def item(kind: Any = "rectangle", name: Any = "cat", exterior: Any = ((1, 2), (10, 21)), **more: Any) -> dict[str, Any]:
    points = {"exterior": exterior, "interior": []}
    return {"id": 9, "classId": 3, "classTitle": name, "geometryType": kind, "tags": [], "points": points, **more}


def supervisely(*objects: Any, tags: Any = ()) -> dict[str, Any]:
    return {"description": "", "tags": tags, "size": {"height": 30, "width": 40}, "objects": objects}


def packed(pixels: Any, mode: str = "1") -> str:
    picture = Image.fromarray(np.asarray(pixels, bool)).convert("L")
    if mode == "RGBA":
        opaque = picture
        picture = Image.new("RGBA", picture.size, (255, 0, 0, 255))
        picture.putalpha(opaque)
    else:
        picture = picture.convert(mode)
    return base64.b64encode(zlib.compress(encoded(picture, "PNG"))).decode()


def bitmap(data: Any, origin: Any = (5, 6)) -> dict[str, Any]:
    return item("bitmap", bitmap={"data": data, "origin": origin})


SAMPLE = (
    "a.jpg.json",
    supervisely(
        item(name="고양이"), item("polygon"), bitmap(packed([[True]])), tags=[{"name": "train", "value": None}]
    ),
)


@given(st.lists(st.tuples(st.sampled_from(["cat", "고양이"]), numbers, numbers, numbers, numbers), max_size=4))
def test_what_was_written_is_read(drawn: list[Any]) -> None:
    objects = [item(name=name, exterior=[(x0, y0), (x1, y1)]) for name, x0, y0, x1, y1 in drawn]
    found = image(read, supervisely(*objects), "ds/ann/a.jpg.json")
    assert list(found.objects) == [
        ObjectAnnotation(
            Box(min(x0, x1), min(y0, y1), max(x0, x1) + 1, max(y0, y1) + 1),
            name,
            box_id="9",
            position=f"objects[{index}]",
        )
        for index, (name, x0, y0, x1, y1) in enumerate(drawn)
    ]
    assert (found.file_name, found.folder, found.width, found.height) == ("a.jpg", "ds/ann", 40, 30)


def test_polygon_with_a_hole() -> None:
    outer, hole = [(0, 0), (8, 0), (8, 8), (0, 8)], [(2, 2), (4, 2), (4, 4), (2, 4)]
    points = {"exterior": outer, "interior": [hole]}
    (found,) = image(read, supervisely(item("polygon") | {"points": points})).objects
    assert found.box == Box(0, 0, 8, 8)
    assert isinstance(found.mask, Polygons)
    (ring,) = found.mask.rings
    xs, ys = np.array(ring[0::2]), np.array(ring[1::2])
    assert abs(np.dot(xs, np.roll(ys, -1)) - np.dot(ys, np.roll(xs, -1))) / 2 == 64 - 4


@pytest.mark.parametrize("mode", ["1", "L", "RGBA"])
@given(data=st.data())
def test_bitmap(mode: str, data: st.DataObject) -> None:
    height, width = data.draw(st.integers(1, 4)), data.draw(st.integers(1, 5))
    flat = data.draw(st.lists(st.booleans(), min_size=width * height, max_size=width * height).filter(any))
    pixels = np.array(flat).reshape(height, width)
    (found,) = image(read, supervisely(bitmap(packed(pixels, mode)))).objects
    assert isinstance(found.mask, MaskBitmap)
    drawn = np.zeros((20, 20), bool)
    crop = np.asarray(Image.open(io.BytesIO(found.mask.data)))
    x, y = found.mask.x, found.mask.y
    drawn[y : y + crop.shape[0], x : x + crop.shape[1]] = crop
    expected = np.zeros((20, 20), bool)
    expected[6 : 6 + height, 5 : 5 + width] = pixels
    assert (drawn == expected).all()
    assert found.box == Box(x, y, x + crop.shape[1], y + crop.shape[0])


def test_bitmap_that_is_not_packed() -> None:
    plain = base64.b64encode(zlib.decompress(base64.b64decode(packed([[True, True]])))).decode()
    assert image(read, supervisely(bitmap(plain))).objects[0].box == Box(5, 6, 7, 7)


def test_tags_are_split_labels_and_fields() -> None:
    tags = [{"name": "train", "value": None}, {"name": "night", "value": None}, {"name": "road", "value": "wet"}, "old"]
    found = image(read, supervisely(tags=[*tags, 7, {"name": "n", "value": 3}]))
    assert found.split == "train"
    assert found.labels == (ImageLabel("night"), ImageLabel("old"))
    assert found.fields == (("road", "wet"), ("n", "3"))


@pytest.mark.parametrize(
    ("meta", "ids"),
    [
        ('{"classes": [{"title": "dog"}, {"title": "cat"}, {"title": "dog"}, 7, {}]}', (("dog", 1), ("cat", 2))),
        ("{", ()),
        ('{"classes": 3}', ()),
        (None, ()),
    ],
)  # fmt: skip
def test_classes_of_the_project(tmp_path: Path, meta: str | None, ids: Any) -> None:
    write_files(tmp_path, {"meta.json": meta.encode()} if meta else {"x": b""})
    context = ReadContext("photos", "ds/ann/a.jpg.json", companions=FolderCompanions(str(tmp_path), "ds/ann"))
    first, _ = read(io.BytesIO(json.dumps(supervisely()).encode()), context)
    assert first == DeclaredClasses(ids)


def test_project_is_built_from_its_folder(tmp_path: Path) -> None:
    files = {f"p/{ds}/ann/a.png.json": json.dumps(supervisely(item())).encode() for ds in ("one", "two")}
    pictures = {f"p/{ds}/img/a.png": png(seed=seed) for seed, ds in enumerate(("one", "two"))}
    write_files(tmp_path, files | pictures | {"p/meta.json": b'{"classes": [{"title": "cat"}]}'})
    built = build_dataset(tmp_path / "out", tmp_path / "p", tmp_path / "p")
    assert built.exit_code == 0
    assert set(built.by_name()) == {"one/img/a.png", "two/img/a.png"}


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ("{", ["!annotation_unreadable"]),
        ("[]", ["!field_missing"]),
        ('{"size": {}, "size": {}}', ["!json_duplicate_key"]),
        (supervisely() | {"size": None}, ["!field_missing"]),
        (supervisely() | {"objects": 3}, ["!field_missing"]),
        (supervisely() | {"tags": 3}, ["!field_missing"]),
        (supervisely(3), ["-field_missing"]),
        (supervisely(item(name=None)), ["-field_missing"]),
        (supervisely(item(name="a\0")), ["-name_not_unicode"]),
        (supervisely(item("point")), ["-shape_unsupported"]),
        (supervisely(item("line")), ["-shape_unsupported"]),
        (supervisely(item("graph", nodes={})), ["-shape_unsupported"]),
        (supervisely(item(None)), ["-shape_unsupported"]),
        (supervisely(item(exterior=[(1, 2)])), ["-field_missing"]),
        (supervisely(item(exterior=[])), ["-field_missing"]),
        (supervisely(item(exterior=[(1, 2), (3, None)])), ["-field_not_number"]),
        (supervisely(item() | {"points": None}), ["-field_missing"]),
        (supervisely(item("polygon") | {"points": {"exterior": [[1, 2]], "interior": [[]]}}), ["-field_missing"]),
        (supervisely(item("bitmap")), ["-field_missing"]),
        (supervisely(bitmap(None)), ["-mask_unreadable"]),
        (supervisely(bitmap("?")), ["-mask_unreadable"]),
        (supervisely(bitmap(base64.b64encode(b"no zlib").decode())), ["-mask_unreadable"]),
        (supervisely(bitmap(base64.b64encode(zlib.compress(b"no PNG")).decode())), ["-mask_unreadable"]),
        (supervisely(bitmap(packed([[False]]))), ["-box_empty"]),
        (supervisely(bitmap(packed([[True]]), origin=[1])), ["-field_missing"]),
        (supervisely(bitmap(packed([[True]]), origin=[1, None])), ["-field_not_number"]),
        (supervisely(bitmap(packed([[True]]), origin=[1, 1e300])), ["-box_not_finite"]),
    ],
)
def test_awkward(content: Any, expected: list[str]) -> None:
    assert reasons(read, content) == expected


def test_bitmap_that_unpacks_to_too_much_is_no_bomb(monkeypatch: pytest.MonkeyPatch) -> None:
    content = supervisely(bitmap(packed(np.random.default_rng(0).random((50, 50)) > 0.5)))
    assert reasons(read, content) == ["ok"]
    monkeypatch.setattr("transforms.annotations.supervisely.MAX_BITMAP_BYTES", 100)
    assert reasons(read, content) == ["-mask_unreadable"]


@pytest.mark.parametrize(
    ("head", "is_supervisely"),
    [
        (b'{"description": "", "tags": [], "size": {"height"', True),
        (b'{"size": {"width": 4}, "objects": [', True),
        (b'{"size": {}, "tags": {}}', False),
        (b'{"tags": [], "size": 3}', False),
        (b"", False),
    ],
)
def test_sniffing(head: bytes, is_supervisely: bool) -> None:
    assert sniff(head) == is_supervisely
