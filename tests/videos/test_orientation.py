from __future__ import annotations

import numpy as np
import pytest

from transforms.videos.orientation import quarter_turns, upright

# Two rows: A B C / D E F
PICTURE = np.arange(6, dtype=np.uint8).reshape(2, 3, 1)


@pytest.mark.parametrize(
    ("matrix", "expected"),
    [
        ((1, 0, 0, 1), [[0, 1, 2], [3, 4, 5]]),
        ((0, 1, -1, 0), [[3, 0], [4, 1], [5, 2]]),  # a quarter turn clockwise
        ((-1, 0, 0, -1), [[5, 4, 3], [2, 1, 0]]),
        ((0, -1, 1, 0), [[2, 5], [1, 4], [0, 3]]),
        ((-1, 0, 0, 1), [[2, 1, 0], [5, 4, 3]]),  # mirrored left and right
        ((1, 0, 0, -1), [[3, 4, 5], [0, 1, 2]]),  # mirrored top and bottom
        ((0, 1, 1, 0), [[0, 3], [1, 4], [2, 5]]),  # transposed
        ((0.99, 0.05, -0.05, 0.99), [[0, 1, 2], [3, 4, 5]]),  # nearly upright
    ],
)
def test_matrices(matrix: tuple[float, float, float, float], expected: list[list[int]]) -> None:
    shown = upright(PICTURE, *quarter_turns(matrix))
    assert shown[:, :, 0].tolist() == expected
    assert shown.flags.c_contiguous


def test_every_matrix_puts_each_pixel_where_its_formula_says() -> None:
    for a, b, c, d in [(0, 1, -1, 0), (0, -1, 1, 0), (0, 1, 1, 0), (0, -1, -1, 0), (-1, 0, 0, 1)]:
        shown = upright(PICTURE, *quarter_turns((a, b, c, d)))
        where = {(a * x + c * y, b * x + d * y): PICTURE[y, x, 0] for y in range(2) for x in range(3)}
        left, top = min(x for x, _ in where), min(y for _, y in where)
        for (x, y), value in where.items():
            assert shown[y - top, x - left, 0] == value
