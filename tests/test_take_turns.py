"""Workers that take piece after piece: each piece once, and nobody waits while there are some."""

from __future__ import annotations

import time
from itertools import zip_longest
from pathlib import Path

import apache_beam as beam
import pytest
from apache_beam.options.pipeline_options import PipelineOptions

from pipelines.runner import run_pipeline
from transforms.take_turns import Piece, TakeTurns, take_turns

PIECES = [Piece(f"piece{number}", number % 4, b"") for number in range(20)]
SLOW_SECONDS = 0.5


def test_each_piece_is_taken_once_and_the_largest_first(tmp_path: Path) -> None:
    workers = [
        take_turns(PIECES, str(tmp_path)),
        take_turns(PIECES[::-1], str(tmp_path)),
        take_turns(PIECES[7:] + PIECES[:7], str(tmp_path)),
    ]
    taken = [piece for turn in zip_longest(*workers) for piece in turn if piece is not None]
    assert sorted(taken) == sorted(PIECES)
    assert [piece.size for piece in taken] == sorted((piece.size for piece in PIECES), reverse=True)


def test_one_worker_takes_all(tmp_path: Path) -> None:
    assert sorted(take_turns(PIECES, str(tmp_path))) == sorted(PIECES)
    assert list(take_turns(PIECES, str(tmp_path))) == []


def test_nothing_is_taken_before_it_is_asked_for(tmp_path: Path) -> None:
    next(take_turns(PIECES, str(tmp_path)))
    assert len(list(tmp_path.iterdir())) == 1


class WritesWho(beam.DoFn):
    """Writes who did a piece; the first worker that comes is slow."""

    def __init__(self, folder: Path):
        self._folder = folder

    def setup(self) -> None:
        try:
            (self._folder / "slow").touch(exist_ok=False)
            self._seconds = SLOW_SECONDS
        except FileExistsError:
            self._seconds = 0.0

    def process(self, element: tuple[str, list[bytes]]) -> None:
        time.sleep(self._seconds)
        with open(self._folder / "done", "a") as file:
            file.write(f"{element[0]} {b' '.join(element[1]).decode()} {'slow' if self._seconds else 'fast'}\n")


@pytest.mark.parametrize("mode", ["multi_processing", "multi_threading"])
def test_worker_that_is_slow_takes_less(tmp_path: Path, mode: str) -> None:
    turns = tmp_path / "turns"
    turns.mkdir()

    packs = {f"key{number}": [b"pack%d" % number, b"another"] for number in range(20)}

    def build(root: beam.Pipeline) -> None:
        root | beam.Create(list(packs.items())) | TakeTurns(2, str(turns)) | beam.ParDo(WritesWho(tmp_path))

    run_pipeline(build, PipelineOptions(["--direct_num_workers=2", f"--direct_running_mode={mode}"]))
    rows = [line.split() for line in (tmp_path / "done").read_text().splitlines()]
    assert {key: [pack.encode() for pack in found] for key, *found, _ in rows} == packs
    assert len(rows) == len(packs)
    paces = [row[-1] for row in rows]
    assert paces.count("fast") > 2 * paces.count("slow")
