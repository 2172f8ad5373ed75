"""Counted images and boxes, and the identity that must close before a dataset is committed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field, fields


@dataclass(slots=True)
class Counts:
    """Numbers of images and boxes; the repaired are among the written.

    Attributes:
      images_checksum: sum of a hash of each name of ``images_read``: equal sums mean equal sets of names.
      reasons: how often each reason code was given, to images and boxes together.
      classes: boxes written of each class.
    """

    images_read: int = 0
    images_checksum: int = 0
    images_written: int = 0
    images_repaired: int = 0
    images_rejected: int = 0
    boxes_read: int = 0
    boxes_written: int = 0
    boxes_repaired: int = 0
    boxes_dropped: int = 0
    reasons: Counter[str] = field(default_factory=Counter)
    classes: Counter[str] = field(default_factory=Counter)

    def add(self, other: Counts) -> None:
        """Adds another's numbers to these."""
        for item in fields(self):
            mine, others = getattr(self, item.name), getattr(other, item.name)
            if isinstance(mine, Counter):
                mine.update(others)
            else:
                setattr(self, item.name, mine + others)

    @classmethod
    def total(cls, parts: Iterable[Counts]) -> Counts:
        total = cls()
        for part in parts:
            total.add(part)
        return total


class LedgerNotClosed(RuntimeError):
    """Images or boxes are unaccounted for: a defect of this program, never of the input."""


def check_closing(read: Counts, accounted: Counts) -> None:
    """Checks that everything read is written or refused, by count.

    Args:
      read: counted where annotations were read.
      accounted: counted where records and ledger rows were written.

    Raises:
      LedgerNotClosed: with both sides.
    """
    sides = [
        (
            "images",
            read.images_read,
            accounted.images_read,
            accounted.images_written + accounted.images_rejected,
        ),
        ("image names", read.images_checksum, accounted.images_checksum, accounted.images_checksum),
        ("boxes", read.boxes_read, accounted.boxes_read, accounted.boxes_written + accounted.boxes_dropped),
    ]
    for name, at_start, at_end, explained in sides:
        if not at_start == at_end == explained:
            raise LedgerNotClosed(
                f"the ledger does not close: {at_start} {name} were read from annotations, {at_end} reached the "
                f"writers, {explained} were written or refused"
            )
