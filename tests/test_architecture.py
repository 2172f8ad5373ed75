"""The shape of the code base: who may import whom, what stays pure, what owns the top level."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
TOP_LEVEL_PACKAGES = {"pipelines", "transforms", "tests", "benchmarks", "deploy"}
# A stage may import the pure modules of stages before it in this order, and of ``ledger``.
HEAVY = ("tensorflow", "av")


def modules(package: str) -> list[Path]:
    return sorted((ROOT / package).rglob("*.py"))


def imported(path: Path, *, at_import_only: bool = False) -> set[str]:
    """Names of imported modules; with ``at_import_only`` those that importing the module itself brings."""
    tree = ast.parse(path.read_text("utf-8"))
    nodes: list[ast.AST] = list(tree.body) if at_import_only else list(ast.walk(tree))
    names: set[str] = set()
    for node in nodes:
        if isinstance(node, ast.Import):
            names.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            names.add(node.module)
            names.update(f"{node.module}.{alias.name}" for alias in node.names)
    return names


def meets_beam(path: Path) -> bool:
    return any(name.split(".")[0] == "apache_beam" for name in imported(path, at_import_only=True))


def module_name(path: Path) -> str:
    return ".".join(path.relative_to(ROOT).with_suffix("").parts)


@pytest.mark.parametrize("path", modules("transforms"), ids=module_name)
def test_transforms_import_no_pipelines_and_no_tests(path: Path) -> None:
    assert not {name.split(".")[0] for name in imported(path)} & {"pipelines", "tests", "benchmarks"}


def test_records_import_nothing_of_ours() -> None:
    assert not {name for name in imported(ROOT / "transforms/records.py") if name.startswith("transforms")}


def test_storage_knows_no_stage() -> None:
    for path in modules("transforms/storage"):
        ours = {name for name in imported(path) if name.startswith("transforms.")}
        assert not {name for name in ours if name.split(".")[1] != "storage"}, module_name(path)


def test_stages_do_not_import_each_others_beam_modules() -> None:
    beam_modules = {module_name(path): path for path in modules("transforms") if meets_beam(path)}
    assert beam_modules
    for path in modules("transforms"):
        stage = path.relative_to(ROOT).parts[1]
        others = {name for name in imported(path) if name in beam_modules and name.split(".")[1] != stage}
        assert not others, f"{module_name(path)} imports {others}"


def test_pure_modules_stay_pure() -> None:
    """Importing every module that does not meet Beam brings in neither Beam nor TensorFlow."""
    pure = [module_name(path) for path in modules("transforms") if not meets_beam(path) and path.stem != "__init__"]
    beam_users = {module_name(path) for path in modules("transforms") if meets_beam(path)}
    code = "import importlib, sys\n" + "\n".join(
        f"importlib.import_module({name!r})" for name in pure if name not in beam_users
    )
    code += "\nprint([name for name in ('apache_beam', 'tensorflow') if name in sys.modules])"
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT)
    assert result.stdout.strip() == "[]"


@pytest.mark.parametrize("path", modules("transforms") + modules("pipelines"), ids=module_name)
def test_heavy_packages_are_imported_where_they_are_used(path: Path) -> None:
    assert not {name.split(".")[0] for name in imported(path, at_import_only=True)} & {"tensorflow"}


def test_top_level_packages_are_ours_alone() -> None:
    found = {path.parent.name for path in ROOT.glob("*/__init__.py")}
    assert found == TOP_LEVEL_PACKAGES


def test_setup_lists_every_package_and_no_tests() -> None:
    text = (ROOT / "setup.py").read_text("utf-8")
    listed = {
        node.value
        for node in ast.walk(ast.parse(text))
        if isinstance(node, ast.Constant)
        and isinstance(node.value, str)
        and node.value.startswith(("pipelines", "transforms"))
    } - {"pipelines.cli:run"}
    packages = {
        ".".join(path.parent.relative_to(ROOT).parts)
        for name in ("pipelines", "transforms")
        for path in (ROOT / name).rglob("__init__.py")
    }
    assert {name for name in listed if "=" not in name} == packages
    assert '"tests' not in text
    assert "open(" not in text, "setup.py reads no other file: it runs on workers without them"
