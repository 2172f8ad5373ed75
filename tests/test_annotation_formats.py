"""The same boxes written in every format whose files are JSON or XML: told apart, read and built into one dataset."""

from __future__ import annotations

import base64
import io
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from tests.annotations import (
    test_bdd100k,
    test_createml,
    test_crowdhuman,
    test_cvat,
    test_datumaro,
    test_imagefolder,
    test_label_studio,
    test_labelbox,
    test_labelme,
    test_sagemaker,
    test_supervisely,
    test_vertex_ai,
    test_via,
    test_vott,
)
from tests.sample_data import (
    HEIGHT,
    WIDTH,
    BuiltDataset,
    boxes,
    build_dataset,
    class_names,
    coco,
    coco_box,
    coco_image,
    encoded,
    jpeg,
    png,
    values,
    voc,
    voc_object,
    write_files,
)

EDGES = ((5, 6, 15, 21), (20, 10, 35, 25))
SIZED = tuple((x0, y0, x1 - x0, y1 - y0) for x0, y0, x1, y1 in EDGES)
PIXELS = [[(x0, y0), (x1 - 1, y1 - 1)] for x0, y0, x1, y1 in EDGES]
CENTRED = [(x + w / 2, y + h / 2, w, h) for x, y, w, h in SIZED]
FRACTIONS = [(x0 / WIDTH, y0 / HEIGHT, x1 / WIDTH, y1 / HEIGHT) for x0, y0, x1, y1 in EDGES]
PERCENTS = [
    dict(zip(("x", "y", "width", "height"), (100 * x0, 100 * y0, 100 * (x1 - x0), 100 * (y1 - y0)), strict=True))
    for x0, y0, x1, y1 in FRACTIONS
]
NAME = "person"


def with_size(region: dict[str, Any]) -> dict[str, Any]:
    return region | {"original_width": WIDTH, "original_height": HEIGHT}


def sagemaker_line(name: str) -> dict[str, Any]:
    items = [test_sagemaker.item(0, box) for box in SIZED]
    return test_sagemaker.line(*items, source=f"s3://bucket/{name}", classes={"0": NAME})


FILES: dict[str, Any] = {
    "bdd100k.json": [test_bdd100k.frame(*(test_bdd100k.label(NAME, box) for box in EDGES), name="bdd100k.jpg")],
    "coco.json": coco(
        [coco_image(1, "coco.jpg")], [coco_box(n, 1, box) for n, box in enumerate(SIZED)], [{"id": 1, "name": NAME}]
    ),
    "createml.json": test_createml.createml(*(test_createml.item(NAME, *box) for box in CENTRED), name="createml.jpg"),
    "crowdhuman.odgt": test_crowdhuman.line(*(test_crowdhuman.person(box) for box in SIZED), image_id="crowdhuman"),
    "cvat.xml": test_cvat.cvat(
        test_cvat.cvat_image(*(test_cvat.box(box, label=NAME) for box in EDGES), name="cvat.jpg")
    ),
    "datumaro.json": test_datumaro.datumaro(
        test_datumaro.item(*(test_datumaro.bbox(0, box) for box in SIZED), image={"path": "datumaro.jpg"}),
        labels=[NAME],
    ),
    "imagefolder.jsonl": test_imagefolder.line(SIZED, [NAME] * 2, "imagefolder.jpg"),
    "label_studio.json": [
        test_label_studio.task(
            test_label_studio.annotation(
                *(
                    with_size(test_label_studio.region(labels=[NAME], region_id=str(n), **value))
                    for n, value in enumerate(PERCENTS)
                )
            ),
            url="/data/upload/1/0a1b2c3d-label_studio.jpg",
        )
    ],
    "labelbox.ndjson": test_labelbox.row(
        test_labelbox.label(*(test_labelbox.item(NAME, box) for box in SIZED)), external_id="labelbox.jpg"
    ),
    "labelme.json": test_labelme.labelme(
        *(test_labelme.shape(NAME, points=[(x0, y1), (x1, y0)]) for x0, y0, x1, y1 in EDGES), path="..\\x\\labelme.jpg"
    ),
    "sagemaker.manifest": sagemaker_line("sagemaker.jpg"),
    "supervisely.jpg.json": test_supervisely.supervisely(
        *(test_supervisely.item(name=NAME, exterior=corners) for corners in PIXELS)
    ),
    "vertex_ai.jsonl": test_vertex_ai.line(
        *(test_vertex_ai.item(NAME, box) for box in FRACTIONS), uri="gs://bucket/vertex_ai.jpg"
    ),
    "via.json": test_via.project(
        test_via.entry(
            *(
                test_via.region(
                    {"name": "rect", **dict(zip(("x", "y", "width", "height"), box, strict=True))}, type=NAME
                )
                for box in SIZED
            ),
            name="via.jpg",
        )
    ),
    "voc.xml": voc("voc.jpg", [voc_object(NAME, box) for box in EDGES]),
    "vott.json": test_vott.asset(
        *(test_vott.region([NAME], box) for box in SIZED), path="file:C:/Users/kim/vott.jpg", name="vott.jpg"
    ),
}
STEMS = [file.split(".")[0] for file in FILES]


def build_from(folder: Path, files: dict[str, Any]) -> BuiltDataset:
    """A dataset from annotation files of all formats in one folder, each about the picture of its own name."""
    texts = {name: value if isinstance(value, str) else json.dumps(value) for name, value in files.items()}
    write_files(folder / "annotations", {name: text.encode() for name, text in texts.items()})
    pictures = {f"{name.split('.')[0]}.jpg": jpeg(seed=seed) for seed, name in enumerate(files)}
    write_files(folder / "images", pictures)
    return build_dataset(folder / "out", folder / "annotations", folder / "images")


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> BuiltDataset:
    return build_from(tmp_path_factory.mktemp("formats"), FILES)


def test_every_picture_is_written(built: BuiltDataset) -> None:
    assert built.exit_code == 0
    assert set(built.by_name()) == {f"{stem}.jpg" for stem in STEMS}
    assert built.ledger("boxes") == []


@pytest.mark.parametrize("stem", STEMS)
def test_boxes_are_the_same_whatever_the_format(built: BuiltDataset, stem: str) -> None:
    example = built.by_name()[f"{stem}.jpg"]
    assert class_names(example) == [NAME, NAME]
    expected = [(ymin, xmin, ymax, xmax) for xmin, ymin, xmax, ymax in FRACTIONS]
    assert boxes(example) == [pytest.approx(box, abs=1e-6) for box in expected]


def test_file_that_may_be_of_two_formats_is_a_question(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    both = {"shapes": [], "size": {}, "tags": []}
    write_files(tmp_path, {"a/both.json": json.dumps(both).encode(), "images/a.jpg": jpeg()})
    built = build_dataset(tmp_path / "out", tmp_path / "a", tmp_path / "images")
    assert built.exit_code == 1
    assert "both.json may be labelme or supervisely: name the format with --format" in capsys.readouterr().err


X, Y = 5, 6
SHAPE = np.zeros((8, 10), bool)
SHAPE[:, :4] = SHAPE[5:, :] = True
CORNERS = [(X, Y), (X + 4, Y), (X + 4, Y + 5), (X + 10, Y + 5), (X + 10, Y + 8), (X, Y + 8)]
WHOLE = np.zeros((HEIGHT, WIDTH), bool)
WHOLE[Y : Y + 8, X : X + 10] = SHAPE


def runs(pixels: Any) -> list[int]:
    """Lengths of runs of 0 and 1 in turn, 0 first."""
    changes = np.flatnonzero(np.diff(np.concatenate(([False], pixels, [not pixels[-1]]))))
    return [int(length) for length in np.diff([0, *changes])]


def compressed(counts: list[int]) -> str:
    """Run lengths as pycocotools writes them: each but the first three as the difference to that before last."""
    text = ""
    for index, count in enumerate(counts):
        number = count - counts[index - 2] if index > 2 else count
        while True:
            low, number = number & 31, number >> 5
            is_last = number == (-1 if low & 16 else 0)
            text += chr(48 + (low if is_last else low | 32))
            if is_last:
                break
    return text


MASKS: dict[str, Any] = {
    "bdd100k.json": [
        test_bdd100k.frame(
            test_bdd100k.label(NAME, None, poly2d=[{"vertices": CORNERS, "types": "LLLLLL", "closed": True}]),
            name="bdd100k.jpg",
        )
    ],
    "cvat.xml": test_cvat.cvat(
        test_cvat.cvat_image(
            test_cvat.tag(
                "mask", label=NAME, rle=", ".join(map(str, runs(SHAPE.ravel()))), left=X, top=Y, width=10, height=8
            ),
            name="cvat.jpg",
        )
    ),
    "cvat_polygon.xml": test_cvat.cvat(
        test_cvat.cvat_image(
            test_cvat.tag("polygon", label=NAME, points=";".join(f"{x},{y}" for x, y in CORNERS)),
            name="cvat_polygon.jpg",
        )
    ),
    "datumaro.json": test_datumaro.datumaro(
        test_datumaro.item(
            test_datumaro.bbox(kind="mask", rle={"counts": compressed(runs(WHOLE.T.ravel())), "size": [HEIGHT, WIDTH]}),
            image={"path": "datumaro.jpg"},
        ),
        labels=[NAME],
    ),
    "label_studio.json": [
        test_label_studio.task(
            test_label_studio.annotation(
                with_size(
                    test_label_studio.region(
                        "brushlabels",
                        [NAME],
                        format="rle",
                        rle=test_label_studio.packed(np.repeat(WHOLE.ravel() * 255, 4).astype(np.uint8).tobytes()),
                    )
                )
            ),
            url="label_studio.jpg",
        )
    ],
    "labelme.json": test_labelme.labelme(
        test_labelme.shape(
            NAME,
            "mask",
            [(X, Y), (X + 9, Y + 7)],
            mask=base64.b64encode(encoded(Image.fromarray(SHAPE), "PNG")).decode(),
        ),
        path="labelme.jpg",
    ),
    "supervisely.jpg.json": test_supervisely.supervisely(
        test_supervisely.item(name=NAME)
        | test_supervisely.bitmap(test_supervisely.packed(SHAPE), (X, Y))
        | {"classTitle": NAME}
    ),
    "supervisely_hole.jpg.json": test_supervisely.supervisely(
        test_supervisely.item("polygon", NAME)
        | {
            "points": {
                "exterior": [(X, Y), (X + 10, Y), (X + 10, Y + 8), (X, Y + 8)],
                "interior": [[(X + 4, Y), (X + 10, Y), (X + 10, Y + 5), (X + 4, Y + 5)]],
            }
        }
    ),
    "via.json": test_via.project(
        test_via.entry(
            test_via.region(
                {
                    "name": "polygon",
                    "all_points_x": [x for x, _ in CORNERS],
                    "all_points_y": [y for _, y in CORNERS],
                },
                type=NAME,
            ),
            name="via.jpg",
        )
    ),
}
MASK_STEMS = [file.split(".")[0] for file in MASKS]


@pytest.fixture(scope="module")
def built_masks(tmp_path_factory: pytest.TempPathFactory) -> BuiltDataset:
    return build_from(tmp_path_factory.mktemp("masks"), MASKS)


@pytest.mark.parametrize("stem", MASK_STEMS)
def test_masks_are_the_same_whatever_the_format(built_masks: BuiltDataset, stem: str) -> None:
    assert built_masks.ledger("boxes") == []
    (mask,) = values(built_masks.by_name()[f"{stem}.jpg"], "image/object/mask")
    assert (np.asarray(Image.open(io.BytesIO(mask)).convert("L")) > 0).tolist() == WHOLE.tolist()


def test_frames_of_a_cvat_video_are_found_as_cvat_saves_them(tmp_path: Path) -> None:
    shapes = [test_cvat.box(EDGES[0], frame=0), test_cvat.box(EDGES[1], frame=2), test_cvat.box(frame=3, outside=1)]
    text = test_cvat.cvat(test_cvat.meta(test_cvat.label("car")), test_cvat.track(*shapes))
    frames = {f"clip/images/frame_{number:06d}.png": png(seed=number) for number in range(4)}
    write_files(tmp_path, frames | {"clip/annotations.xml": text.encode()})
    built = build_dataset(tmp_path / "out", tmp_path, tmp_path)
    assert built.exit_code == 0
    found = {name: boxes(example) for name, example in built.by_name().items()}
    middle = [(start + end) / 2 for start, end in zip(*EDGES, strict=True)]
    assert sorted(found) == [f"clip/images/frame_{number:06d}.png" for number in range(3)]
    (box,) = found["clip/images/frame_000001.png"]
    assert box == pytest.approx((middle[1] / HEIGHT, middle[0] / WIDTH, middle[3] / HEIGHT, middle[2] / WIDTH))


def test_pictures_beside_their_files_in_folders_of_splits(tmp_path: Path) -> None:
    for split in ("train", "valid"):
        text = json.dumps(test_createml.createml(test_createml.item(NAME, *CENTRED[0]), name="a.jpg"))
        picture = jpeg(seed=len(split))
        write_files(tmp_path / "d" / split, {"_annotations.createml.json": text.encode(), "a.jpg": picture})
    built = build_dataset(tmp_path / "out", tmp_path / "d", tmp_path / "d")
    assert built.exit_code == 0
    assert set(built.by_name()) == {"train/a.jpg", "valid/a.jpg"}
