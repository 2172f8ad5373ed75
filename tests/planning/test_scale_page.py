"""The figures of docs/scale.md come from the formulas of ``boxmill plan``, which behave as estimates should."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from benchmarks.scale import cameras, objects365, open_images, tables
from transforms.planning.build_estimate import build_stages
from transforms.planning.detect_estimate import detect_stages
from transforms.planning.prices import Prices

DOCS = Path(__file__).resolve().parents[2] / "docs"


@pytest.mark.parametrize(("name", "lines"), tables().items(), ids=tables().keys())
def test_page_has_the_tables(name: str, lines: list[str]) -> None:
    assert "\n".join(lines) in (DOCS / "scale.md").read_text("utf-8"), f"{name}: python -m benchmarks.scale prints it"


def test_page_of_prices_names_all_and_the_examples() -> None:
    text = (DOCS / "plan.md").read_text("utf-8")
    assert all(f"\n{name}: " in text for name in Prices.__dataclass_fields__)
    prices = Prices()
    for value in (prices.vcpu_hour, prices.memory_gb_hour, prices.shuffle_gb, prices.thousand_reads):
        assert str(value) in text


@pytest.mark.parametrize("scenario", [objects365, open_images])
def test_no_step_of_one_worker_grows_with_the_pixels(scenario) -> None:
    volumes, rates = scenario()
    larger = replace(volumes, image_bytes=9 * volumes.image_bytes, record_bytes=9 * volumes.record_bytes)
    alone = [[s.seconds for s in build_stages(v, rates) if s.parts == 1] for v in (volumes, larger)]
    assert len(alone[0]) == 3
    assert alone[0] == alone[1]


def test_content_hashing_is_a_stage_that_is_shared_out() -> None:
    volumes, rates = objects365()
    stages = build_stages(replace(volumes, by_content=True), replace(rates, hash_image=1e-3))
    hashing = next(stage for stage in stages if stage.name == "hash pictures")
    assert hashing.elapsed(1000) == pytest.approx(hashing.seconds / hashing.parts * 2)


def test_a_year_is_a_day_many_times() -> None:
    day, year = (detect_stages(*cameras(days)) for days in (1, 365))
    for one, many in zip(day, year, strict=True):
        assert many.seconds == pytest.approx(365 * one.seconds)
