from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import transforms.detectors

PACKAGE = Path(transforms.detectors.__file__).parent


def run(code: str) -> None:
    done = subprocess.run([sys.executable, "-c", code], cwd=PACKAGE.parents[1], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_modules_import_neither_tensorflow_nor_beam() -> None:
    modules = [
        f"transforms.detectors.{file.stem}"
        for file in PACKAGE.glob("*.py")
        if file.stem != "__init__" and "apache_beam" not in file.read_text("utf-8")
    ]
    assert len(modules) > 10
    imports = "\n".join(f"import {module}" for module in modules)
    run(f"import sys\n{imports}\nassert not {{'tensorflow', 'apache_beam'}} & set(sys.modules)")


def test_inspecting_imports_no_tensorflow(saved_model: Path, frozen: Path, tflite: Path) -> None:
    paths = [str(path) for path in (saved_model, frozen, tflite)]
    run(
        "import sys\nfrom transforms.detectors import describe, inspect_model, labels_of\nfor path in"
        f" {paths!r}:\n    info = inspect_model(path)\n    print(describe(info, labels_of(info)))\nassert"
        " 'tensorflow' not in sys.modules"
    )
