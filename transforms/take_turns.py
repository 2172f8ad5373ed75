"""Work that the workers of one machine take piece by piece.

A runner of one machine deals pieces out beforehand, as many to each worker. Then all wait for the one that has the
slower core, shares its core with something else, or was dealt the larger pieces.
"""

from __future__ import annotations

import os
import pickle
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import apache_beam as beam

from transforms.annotations.pack_store import PackStore, fetched, stored_size


class Piece(NamedTuple):
    """A piece of work, without what it is made of.

    Attributes:
      key: no other piece has it.
      size: bytes of its packs.
      place: of the pickled list of its packs.
    """

    key: Any
    size: int
    place: bytes


def take_turns(pieces: Iterable[Piece], folder: str) -> Iterator[Piece]:
    """Yields those of the pieces that no other worker has taken: each is taken when it is asked for, the largest first,
    so that all workers are through at about the same time.

    Args:
      pieces: the same for all workers, in any order.
      folder: local; for these pieces alone.

    Raises:
      OSError: the folder cannot be written.
    """
    for number, piece in enumerate(sorted(pieces, key=lambda piece: (-piece.size, piece.key))):
        try:
            os.close(os.open(os.path.join(folder, f"taken-{number}"), os.O_CREAT | os.O_EXCL))
        except FileExistsError:
            continue
        yield piece


@dataclass
class TakeTurns(beam.PTransform):
    """``(key, packs)`` with unique keys to the same, on workers that take them one by one; see ``take_turns``.

    A runner may not repeat a bundle of this: what the first attempt has taken stays taken.

    Attributes:
      workers: of the runner.
      folder: see ``PackStore``; for one of these transforms alone.
    """

    workers: int
    folder: str

    def expand(
        self, grouped: beam.PCollection[tuple[Any, Iterable[bytes]]]
    ) -> beam.PCollection[tuple[Any, list[bytes]]]:
        pieces = grouped | "Lay down" >> beam.Map(_laid_down, PackStore(self.folder))
        return (
            grouped.pipeline
            | "Workers" >> beam.Create([(number, None) for number in range(self.workers)], reshuffle=False)
            | "One for each" >> beam.GroupByKey()
            | "Take turns" >> beam.FlatMap(_taken, beam.pvalue.AsList(pieces), self.folder)
        )


def _laid_down(element: tuple[Any, Iterable[bytes]], store: PackStore) -> Piece:
    key, packs = element[0], list(element[1])
    return Piece(key, sum(map(stored_size, packs)), store.put(pickle.dumps(packs)))


def _taken(worker: object, pieces: Sequence[Piece], folder: str) -> Iterator[tuple[Any, list[bytes]]]:
    del worker
    for piece in take_turns(pieces, folder):
        yield piece.key, pickle.loads(fetched(piece.place))
