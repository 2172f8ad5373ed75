from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from pipelines.build_inputs import SourceInputs, find_inputs
from tests.sample_data import coco, coco_image, jpeg, write_files
from transforms.sources.source import Source

VOC = b"<annotation><filename>a.jpg</filename></annotation>"
# By format: the annotation file, and where its mask pictures may lie.
LAYOUTS = {
    "coco": ("labels/panoptic_val.json", ["labels/panoptic_val/1.png", "labels/1.png"]),
    "voc": ("data/Annotations/a.xml", ["data/SegmentationObject/a.png", "data/SegmentationClass/a.png"]),
}
CASES = [(name, mask) for name, (_, masks) in LAYOUTS.items() for mask in masks]


def _inputs(root: Path, layout: str, with_masks: bool = True) -> SourceInputs:
    annotations = str(root / LAYOUTS[layout][0])
    source = Source("s", (os.path.dirname(annotations),), str(root / "images"), layout)
    (inputs,) = find_inputs([source], with_masks=with_masks)
    return inputs


@pytest.mark.parametrize(("layout", "mask"), CASES)
def test_mask_pictures_are_part_of_a_build_s_identity(tmp_path: Path, layout: str, mask: str) -> None:
    content = {"coco": json.dumps(coco([coco_image(1, "a.jpg")])).encode(), "voc": VOC}[layout]
    write_files(tmp_path, {"images/a.jpg": jpeg(), LAYOUTS[layout][0]: content, "other/a.png": b"other"})
    without = _inputs(tmp_path, layout)
    assert "masks_digest" not in without.identity()

    write_files(tmp_path, {mask: b"mask"})
    first = _inputs(tmp_path, layout)
    assert first.identity()["mask_files"] == 1
    assert "masks_digest" not in _inputs(tmp_path, layout, with_masks=False).identity()

    write_files(tmp_path, {mask: b"a larger mask"})
    assert _inputs(tmp_path, layout).identity() != first.identity()

    write_files(tmp_path, {mask: b"MASK"})
    os.utime(tmp_path / mask, (2e9, 2e9))
    again = _inputs(tmp_path, layout)
    assert again.identity() == first.identity()
    assert again.newest == 2e9
