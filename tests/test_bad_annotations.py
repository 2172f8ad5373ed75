"""Bad annotation files, each alone and all at once among good ones: every image and box has its row and reason."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import pytest

from tests.bad_annotations import CASES, KINDS, BadAnnotation
from tests.local_build import build_locally
from tests.sample_data import BuiltDataset, build_dataset, coco_box, coco_bytes, coco_image, jpeg, values, write_files

GOOD_IMAGES = 1000
GOOD_ID = 10_000_000


def good_files(images: int) -> tuple[bytes, dict[str, bytes]]:
    """A COCO file without fault, and its pictures."""
    names = [f"good{number:04d}.jpg" for number in range(images)]
    entries = [coco_image(GOOD_ID + number, name) for number, name in enumerate(names)]
    annotations = [coco_box(number, GOOD_ID + number, [5, 6, 10, 10]) for number in range(images)]
    return coco_bytes(entries, annotations), dict.fromkeys(names, jpeg())


def rows_by_file(images: Iterable[Mapping[str, Any]], boxes: Iterable[Mapping[str, Any]]) -> dict[str, Counter[str]]:
    """The ledger's rows in short, by annotation file."""
    rows: dict[str, Counter[str]] = {}
    for image in images:
        text = " ".join([image["status"], *image["reasons"]])
        rows.setdefault(image["annotation_file"], Counter())[text] += 1
    for box in boxes:
        text = {"dropped": "-", "repaired": "~"}[box["status"]] + box["reason"]
        rows.setdefault(box["annotation_file"], Counter())[text] += 1
    return rows


def test_there_are_many_kinds() -> None:
    assert len(CASES) >= 120
    assert len(KINDS) >= 60
    assert len({case.name for case in CASES}) == len(CASES)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_bad_annotation_alone(case: BadAnnotation, tmp_path: Path) -> None:
    good, pictures = good_files(3)
    write_files(tmp_path / "images", pictures | case.files("bad"))
    files = {"good.json": good, f"bad{case.suffix}": case.make("bad", 1000)}
    built = build_locally(tmp_path / "built", files, tmp_path / "images")
    rows = rows_by_file(built.ledger("images"), built.ledger("boxes"))
    assert rows["good.json"] == {"written": 3}
    assert rows[f"bad{case.suffix}"] == case.rows


class AllAtOnce:
    """All bad files among good ones, built by one run of the command."""

    def __init__(self, folder: Path):
        good, pictures = good_files(GOOD_IMAGES)
        annotations = {"good.json": good}
        self.cases: dict[str, BadAnnotation] = {}
        for number, case in enumerate(CASES):
            slug = f"bad{number:03d}"
            annotations[slug + case.suffix] = case.make(slug, (number + 1) * 1000)
            pictures |= case.files(slug)
            self.cases[slug + case.suffix] = case
        write_files(folder / "annotations", annotations)
        write_files(folder / "images", pictures)
        self.built: BuiltDataset = build_dataset(
            folder / "out", folder / "annotations", folder / "images", "--max_reject_ratio=1", "--masks=none"
        )
        self.images = self.built.ledger("images")
        self.boxes = self.built.ledger("boxes")


@pytest.fixture(scope="module")
def all_at_once(tmp_path_factory: pytest.TempPathFactory) -> AllAtOnce:
    return AllAtOnce(tmp_path_factory.mktemp("all_at_once"))


def test_each_bad_file_among_all_has_its_rows(all_at_once: AllAtOnce) -> None:
    rows = rows_by_file(all_at_once.images, all_at_once.boxes)
    wrong = {
        case.name: (rows.get(file), case.rows)
        for file, case in all_at_once.cases.items()
        if rows.get(file) != case.rows
    }
    assert not wrong


def test_every_good_image_is_written(all_at_once: AllAtOnce) -> None:
    rows = [row for row in all_at_once.images if row["annotation_file"] == "good.json"]
    assert len(rows) == GOOD_IMAGES
    assert {row["status"] for row in rows} == {"written"}
    assert all(row["boxes_written"] == 1 for row in rows)


def test_run_with_rejects_says_so(all_at_once: AllAtOnce) -> None:
    assert all_at_once.built.exit_code == 2


def test_counts_close(all_at_once: AllAtOnce) -> None:
    counts = all_at_once.built.manifest["counts"]
    assert counts["images"]["read"] == counts["images"]["written"] + counts["images"]["rejected"]
    assert counts["boxes"]["read"] == counts["boxes"]["written"] + counts["boxes"]["dropped"]
    statuses = Counter(row["status"] for row in all_at_once.images)
    assert counts["images"]["written"] == statuses["written"] + statuses["repaired"]
    assert counts["images"]["repaired"] == statuses["repaired"]
    assert counts["boxes"]["dropped"] == sum(row["status"] == "dropped" for row in all_at_once.boxes)
    assert counts["boxes"]["read"] == sum(row["boxes_read"] for row in all_at_once.images) + sum(
        row["reason"] in ("orphan_annotation", "field_missing") and not row["file_name"] for row in all_at_once.boxes
    )


def test_records_are_the_images_that_the_ledger_calls_written(all_at_once: AllAtOnce) -> None:
    written = [row for row in all_at_once.images if row["status"] in ("written", "repaired")]
    records = list(all_at_once.built.examples())
    names = [values(record, "image/filename")[0].decode() for record in records]
    assert sorted(names) == sorted(row["file_name"] for row in written)
    ids = {values(record, "image/source_id")[0].decode() for record in records}
    assert ids == {row["image_id"] for row in written}
    assert len(ids) == len(records)


def test_reasons_are_counted_as_the_rows_have_them(all_at_once: AllAtOnce) -> None:
    rows = Counter(reason for row in all_at_once.images for reason in row["reasons"])
    rows.update(row["reason"] for row in all_at_once.boxes)
    assert all_at_once.built.manifest["reasons"] == dict(sorted(rows.items()))
