"""What holds for every format: sniffers are disjoint, and nothing in a file makes them raise."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.annotations.folder_reading import claims
from tests.annotations.format_samples import SAMPLES, Sample
from transforms.annotations.formats import FORMATS


@pytest.mark.parametrize("sample", SAMPLES, ids=lambda sample: sample.format)
def test_one_format_claims_a_file(sample: Sample) -> None:
    claimants = [item.name for item in FORMATS.values() if item.claims_name(sample.file) and item.sniff(sample.data)]
    assert claimants == [sample.format]


@given(st.binary(max_size=99) | st.text(st.sampled_from("019.,- \nae{}[]:\"'<>"), max_size=99).map(str.encode))
def test_any_bytes_can_be_sniffed(head: bytes) -> None:
    for item in FORMATS.values():
        assert item.sniff(head) in (True, False)


@given(st.text(st.sampled_from("0123456789.,- \n"), max_size=99))
def test_no_lines_of_numbers_are_claimed_twice(head: str) -> None:
    assert len(claims(head, ".txt")) <= 1
