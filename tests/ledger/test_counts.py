from __future__ import annotations

from collections import Counter
from dataclasses import replace

import pytest

from transforms.ledger.counts import Counts, LedgerNotClosed, check_closing

CLOSED = Counts(
    images_read=5,
    images_checksum=99,
    images_written=3,
    images_rejected=2,
    boxes_read=7,
    boxes_written=4,
    boxes_dropped=3,
)
READ = Counts(images_read=5, images_checksum=99, boxes_read=7)


def test_sums() -> None:
    one = Counts(images_read=1, boxes_read=2, reasons=Counter(a=1), classes=Counter(cat=2))
    two = Counts(images_read=10, boxes_dropped=5, reasons=Counter(a=1, b=1))
    total = Counts.total([one, two])
    assert (total.images_read, total.boxes_read, total.boxes_dropped) == (11, 2, 5)
    assert total.reasons == {"a": 2, "b": 1}
    assert total.classes == {"cat": 2}
    assert one.reasons == {"a": 1}


def test_books_that_close_pass() -> None:
    check_closing(READ, CLOSED)


@pytest.mark.parametrize(
    ("change", "what"),
    [
        ({"images_read": 4}, "images"),
        ({"images_written": 2}, "images"),
        ({"images_rejected": 3}, "images"),
        ({"images_checksum": 98}, "image names"),
        ({"boxes_read": 6}, "boxes"),
        ({"boxes_written": 5}, "boxes"),
        ({"boxes_dropped": 2}, "boxes"),
    ],
)
def test_any_number_that_is_off_is_found(change: dict[str, int], what: str) -> None:
    with pytest.raises(LedgerNotClosed, match=f" {what} were read"):
        check_closing(READ, replace(CLOSED, **change))  # type: ignore[arg-type]
