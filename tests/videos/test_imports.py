from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def test_cutting_and_writing_need_neither_beam_nor_tensorflow() -> None:
    modules = [
        f"transforms.{stage}.{path.stem}"
        for stage in ("videos", "detections")
        for path in sorted((ROOT / "transforms" / stage).glob("*.py"))
        if "apache_beam" not in path.read_text(encoding="utf-8")
    ]
    assert "transforms.videos.decoding" in modules
    assert "transforms.detections.tables" in modules
    script = f"import sys, {', '.join(modules)}; print(*sorted(sys.modules))"
    found = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=True)
    assert not {"apache_beam", "tensorflow"} & set(found.stdout.split())
