"""Where real videos are, on machines that have them; they are never part of the project."""

from __future__ import annotations

from pathlib import Path

import pytest

REAL = Path(__file__).resolve().parents[2].parent / "shared" / "real" / "video"
needs_real = pytest.mark.skipif(not REAL.is_dir(), reason=f"no real videos at {REAL}")
