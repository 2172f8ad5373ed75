"""Models made once for all tests of a session."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.detectors import tiny_models
from transforms.detectors.demo_model import write_shapes_detector

REAL = Path(__file__).resolve().parents[3] / "shared" / "real"


@pytest.fixture(scope="session")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder for the session's models."""
    return tmp_path_factory.mktemp("models")


@pytest.fixture(scope="session")
def saved_model(models: Path) -> Path:
    """A TF2 SavedModel for any batch; not to be changed."""
    return tiny_models.write_saved_model(models / "saved_model_v2")


@pytest.fixture(scope="session")
def frozen(models: Path) -> Path:
    """A frozen graph for any batch; not to be changed."""
    return tiny_models.write_frozen(models / "frozen.pb")


@pytest.fixture(scope="session")
def tflite(models: Path) -> Path:
    """A uint8 TFLite model; not to be changed."""
    return tiny_models.write_tflite(
        models / "uint8.tflite", lambda images: tiny_models.detections(images, first_class=0)
    )


@pytest.fixture(scope="session")
def shapes(models: Path) -> Path:
    """The demonstration's model and its label map; not to be changed."""
    return write_shapes_detector(models / "shapes")


@pytest.fixture(scope="session")
def real() -> Path:
    """Third-party models and images, which are not part of the project."""
    if not REAL.is_dir():
        pytest.skip(f"third-party test material is not at {REAL}")
    return REAL
