from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageDraw

from transforms.detectors.demo_model import write_shapes_detector
from transforms.detectors.detector import Detector
from transforms.detectors.loading import load_detector

HEIGHT, WIDTH = 120, 200
COLOURS = {"red": (210, 40, 30), "green": (30, 180, 60), "blue": (40, 60, 200)}


@pytest.fixture(scope="module")
def detector(shapes: Path) -> Detector:
    return load_detector(shapes)


def picture(*shapes: tuple[str, str, tuple[int, int, int, int]], background: int = 200) -> np.ndarray:
    """A frame with shapes of (colour, kind, (left, top, right, bottom)); edges in pixels."""
    image = Image.new("RGB", (WIDTH, HEIGHT), (background,) * 3)
    draw = ImageDraw.Draw(image)
    for colour, kind, (left, top, right, bottom) in shapes:
        inside = (left, top, right - 1, bottom - 1)
        if kind == "triangle":
            corners = [((left + right) // 2, top), (left, bottom - 1), (right - 1, bottom - 1)]
            draw.polygon(corners, fill=COLOURS[colour])
        else:
            getattr(draw, kind)(inside, fill=COLOURS[colour])
    return np.asarray(image)


def edges(box: Any) -> list[float]:
    """Left, top, right, bottom in pixels."""
    ymin, xmin, ymax, xmax = box
    return [xmin * WIDTH, ymin * HEIGHT, xmax * WIDTH, ymax * HEIGHT]


@pytest.mark.parametrize("background", [128, 200, 255])
@pytest.mark.parametrize(("colour", "class_id"), [("red", 1), ("green", 2), ("blue", 3)])
def test_a_rectangle_is_found_to_the_pixel(detector: Detector, colour: str, class_id: int, background: int) -> None:
    frame = picture((colour, "rectangle", (30, 20, 90, 70)), background=background)
    [found] = detector.detect(frame[np.newaxis])
    assert found.classes.tolist() == [class_id]
    assert detector.labels.name(class_id) == colour
    assert edges(found.boxes[0]) == pytest.approx([30, 20, 90, 70], abs=1e-3)
    assert found.scores[0] == pytest.approx(1.0)


FILLS = {"rectangle": 1.0, "ellipse": np.pi / 4, "triangle": 0.5}


@pytest.mark.parametrize(("kind", "share"), FILLS.items(), ids=FILLS)
def test_the_score_is_the_filled_share(detector: Detector, kind: str, share: float) -> None:
    [found] = detector.detect(picture(("green", kind, (40, 10, 140, 110)))[np.newaxis])
    assert found.scores[0] == pytest.approx(share, abs=0.04)
    assert edges(found.boxes[0]) == pytest.approx([40, 10, 140, 110], abs=3)


def test_several_shapes_best_first_in_a_batch(detector: Detector) -> None:
    both = picture(("blue", "ellipse", (10, 10, 60, 60)), ("red", "rectangle", (100, 50, 180, 100)))
    at_the_border = picture(("green", "rectangle", (0, 0, 200, 40)))
    found = detector.detect(np.stack([both, picture(), at_the_border]))
    assert [frame.classes.tolist() for frame in found] == [[1, 3], [], [2]]
    assert edges(found[2].boxes[0]) == pytest.approx([0, 0, 200, 40], abs=1e-3)
    assert found[0].scores[0] > found[0].scores[1]


def test_specks_and_fringes_do_not_move_the_box(detector: Detector) -> None:
    frame = picture(("red", "rectangle", (30, 20, 90, 70))).copy()
    frame[100, 150] = COLOURS["red"]
    frame[5, ::4] = COLOURS["red"]
    [found] = detector.detect(frame[np.newaxis])
    assert edges(found.boxes[0]) == pytest.approx([30, 20, 90, 70], abs=1e-3)


def test_static_batch(tmp_path: Path) -> None:
    detector = load_detector(write_shapes_detector(tmp_path, static_batch=1))
    frames = np.stack([picture((colour, "rectangle", (30, 20, 90, 70))) for colour in COLOURS])
    assert detector.info.static_batch == 1
    assert [frame.classes.tolist() for frame in detector.detect(frames)] == [[1], [2], [3]]
