from __future__ import annotations

import io
from collections import Counter

from pipelines.progress import PlainLines, Step

STEP = Step("writing", "images", lambda counters: counters["done"], lambda counters: 1000)


def test_rate_is_of_what_was_watched() -> None:
    now = 0.0
    stream = io.StringIO()
    lines = PlainLines([STEP], stream, lambda: now)
    for now, done in ((0.0, 0), (1.0, 300), (2.0, 350), (3.0, 500), (7.0, 1000)):  # noqa: B007 - the clock's
        lines.update(Counter(done=done))
    assert stream.getvalue().splitlines() == [
        "writing 30 %: 300 of 1,000 images",
        "writing 50 %: 500 of 1,000 images, 100/s, 5 s left",
        "writing 100 %: 1,000 of 1,000 images, 117/s, 0 s left",
    ]


def test_no_rate_is_told_of_moments() -> None:
    now = 0.0
    stream = io.StringIO()
    lines = PlainLines([STEP], stream, lambda: now)
    for now, done in ((0.0, 90), (0.01, 180), (0.02, 1000)):  # noqa: B007 - the clock's
        lines.update(Counter(done=done))
    assert stream.getvalue().splitlines() == [
        "writing 18 %: 180 of 1,000 images",
        "writing 100 %: 1,000 of 1,000 images",
    ]
