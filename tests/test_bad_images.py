"""Odd and bad image files, each under three names: what is written decodes in TensorFlow, the rest has a reason."""

from __future__ import annotations

import io
import time
from typing import Any

import numpy as np
import pytest
from PIL import Image

from tests.bad_images import CASES, JPEGS, OTHERS, PNGS, BadImage
from tests.sample_data import BuiltDataset, build_dataset, coco_box, coco_bytes, write_files
from transforms.images.check_image import ImagePolicy, check_image
from transforms.images.image_store import ImageRefused

MAX_SECONDS = 5


def name_of(case: BadImage) -> str:
    group = "JPEG" if case in JPEGS else "PNG" if case in PNGS else "other"
    return f"{group} {case.name}"


def file_names(number: int, case: BadImage) -> list[str]:
    """The right extension, a wrong one, and a name in Hangul."""
    wrong = ".png" if case.suffix == ".jpg" else ".jpg"
    return [f"image{number:03d}{case.suffix}", f"wrong{number:03d}{wrong}", f"그림 ({number}){case.suffix}"]


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> BuiltDataset:
    """All files three times over, each with one box, by one run of the command."""
    folder = tmp_path_factory.mktemp("bad_images")
    files = {name: case.make() for number, case in enumerate(CASES) for name in file_names(number, case)}
    write_files(folder / "images", files)
    images = [{"id": number, "file_name": name} for number, name in enumerate(files, start=1)]
    boxes = [coco_box(number, number, [0, 0, 1, 1]) for number in range(1, len(images) + 1)]
    write_files(folder, {"boxes.json": coco_bytes(images, boxes)})
    return build_dataset(folder / "out", folder / "boxes.json", folder / "images", "--max_reject_ratio=1")


@pytest.fixture(scope="module")
def rows(built: BuiltDataset) -> dict[str, dict[str, Any]]:
    return {row["file_name"]: row for row in built.ledger("images")}


@pytest.fixture(scope="module")
def records(built: BuiltDataset) -> dict[str, Any]:
    return built.by_name()


def test_there_are_many_kinds() -> None:
    assert len({name_of(case) for case in CASES}) == len(CASES) >= 65


@pytest.mark.parametrize("number", range(len(CASES)), ids=lambda number: name_of(CASES[number]))
def test_image_under_three_names(number: int, rows: dict[str, dict[str, Any]], records: dict[str, Any]) -> None:
    case = CASES[number]
    for name in file_names(number, case):
        row = rows[name]
        if not case.written:
            assert (row["status"], " ".join(row["reasons"])) == ("rejected", case.reasons), row["detail"]
            assert name not in records
            continue
        ambiguous = {"exif_ambiguous"}  # the annotation does not say which way up its boxes are
        assert " ".join(reason for reason in row["reasons"] if reason not in ambiguous) == case.reasons
        assert row["status"] == ("repaired" if case.reasons else "written")
        feature = records[name].features.feature
        data = feature["image/encoded"].bytes_list.value[0]
        assert feature["image/format"].bytes_list.value[0].decode() == case.written
        assert (data == case.make()) == (not case.reasons)
        size = feature["image/height"].int64_list.value[0], feature["image/width"].int64_list.value[0]
        for depth in (0, 3):
            assert decoded(data, depth).shape[:2] == size


def decoded(data: bytes, channels: int) -> np.ndarray:
    import tensorflow as tf

    return tf.io.decode_image(data, channels=channels, expand_animations=False).numpy()


def test_no_other_image_is_written(rows: dict[str, dict[str, Any]], records: dict[str, Any]) -> None:
    assert len(rows) == 3 * len(CASES)
    assert {name for name, row in rows.items() if row["status"] != "rejected"} == set(records)


@pytest.mark.parametrize("case", CASES, ids=name_of)
def test_no_image_takes_long(case: BadImage) -> None:
    data = case.make()
    start = time.process_time()
    for depth in ("full", "header"):
        try:
            check_image(data, ImagePolicy(depth=depth))  # type: ignore[arg-type]
        except ImageRefused:
            continue
    assert time.process_time() - start < MAX_SECONDS


@pytest.mark.parametrize(
    "case",
    [case for case in OTHERS if case.written and "turned" not in case.name and "16" not in case.name],
    ids=name_of,
)
def test_converted_image_keeps_its_colours(case: BadImage) -> None:
    data = case.make()
    expected = np.asarray(Image.open(io.BytesIO(data)).convert("RGBA").convert("RGB"))
    np.testing.assert_array_equal(decoded(check_image(data, ImagePolicy()).data, 3), expected)


def test_cut_files_are_refused_by_their_header_too() -> None:
    for name in ("cut in half", "cut by the end marker", "without end chunk"):
        for case in (case for case in [*JPEGS, *PNGS] if case.name == name):
            with pytest.raises(ImageRefused, match="image_unreadable"):
                check_image(case.make(), ImagePolicy(depth="header"))
