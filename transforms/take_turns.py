"""Work that the workers of one machine take piece by piece.

A runner of one machine deals pieces out beforehand, as many to each worker. Then all wait for the one that has the
slower core, shares its core with something else, or was dealt the larger pieces.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import apache_beam as beam

Piece = TypeVar("Piece", bound=tuple[Any, Any])


def take_turns(pieces: Sequence[Piece], folder: str, size: Callable[[Piece], int]) -> Iterator[Piece]:
    """Yields those of the pieces that no other worker has taken: each is taken when it is asked for, the largest first,
    so that all workers are through at about the same time.

    Args:
      pieces: ``(key, value)``, the same for all workers, in any order; no key comes twice.
      folder: local, empty at first; for these pieces alone.
      size: of a piece.

    Raises:
      OSError: the folder cannot be written.
    """
    for number, piece in enumerate(sorted(pieces, key=lambda piece: (-size(piece), piece[0]))):
        try:
            os.close(os.open(os.path.join(folder, f"taken-{number}"), os.O_CREAT | os.O_EXCL))
        except FileExistsError:
            continue
        yield piece


@dataclass
class TakeTurns(beam.PTransform):
    """``(key, value)`` with unique keys to the same, on workers that take them one by one; see ``take_turns``.

    A runner may not repeat a bundle of this: what the first attempt has taken stays taken.

    Attributes:
      workers: of the runner.
      folder, size: see ``take_turns``.
    """

    workers: int
    folder: str
    size: Callable[[Any], int]

    def expand(self, pieces: beam.PCollection[Piece]) -> beam.PCollection[Piece]:
        return (
            pieces.pipeline
            | "Workers" >> beam.Create([(number, None) for number in range(self.workers)], reshuffle=False)
            | "One for each" >> beam.GroupByKey()
            | "Take turns" >> beam.FlatMap(_taken, beam.pvalue.AsList(pieces), self.folder, self.size)
        )


def _taken(worker: object, pieces: Sequence[Piece], folder: str, size: Callable[[Piece], int]) -> Iterator[Piece]:
    del worker
    return take_turns(pieces, folder, size)
