"""What holds for every format: sniffers are disjoint, and nothing in a file makes them raise."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.annotations.folder_reading import claims
from transforms.annotations.formats import FORMATS

HEADS = {
    "yolo": (".txt", "0 0.5 0.5 0.25 0.5\n15 0.1 0.2 0.1 0.1"),
    "kitti": (".txt", "Car 0.00 0 -1.58 587.01 173.33 614.12 200.12 1.65 1.67 3.64 -0.65 1.71 46.70 -1.59"),
    "dota": (".txt", "imagesource:GoogleEarth\ngsd:0.14\n1.0 2.0 3.0 2.0 3.0 4.0 1.0 4.0 plane 0"),
    "visdrone": (".txt", "684,8,273,116,0,0,0,0\n406,119,265,70,1,4,0,1"),
    "mot": (".txt", "1,1,912,484,97,109,0,7,1\n2,1,912,484,97,109,0,7,1"),
    "wider_face": (".txt", "0--Parade/0_Parade_marchingband_1_849.jpg\n1\n449 330 122 149 0 0 0 0 0 0"),
    "csv": (".csv", "filename,width,height,class,xmin,ymin,xmax,ymax\n"),
    "open_images": (".csv", "ImageID,Source,LabelName,Confidence,XMin,XMax,YMin,YMax,IsOccluded\n"),
    "via_csv": (".csv", "#filename,file_size,file_attributes,region_id,region_shape_attributes,region_attributes\n"),
}


@pytest.mark.parametrize("name", HEADS)
def test_one_format_claims_a_file(name: str) -> None:
    suffix, head = HEADS[name]
    assert claims(head, suffix) == [name]


@given(st.binary(max_size=99) | st.text(st.sampled_from("019.,- \nae{}[]:\"'<>"), max_size=99).map(str.encode))
def test_any_bytes_can_be_sniffed(head: bytes) -> None:
    for item in FORMATS.values():
        assert item.sniff(head) in (True, False)


@given(st.text(st.sampled_from("0123456789.,- \n"), max_size=99))
def test_no_lines_of_numbers_are_claimed_twice(head: str) -> None:
    assert len(claims(head, ".txt")) <= 1
