"""The README's commands and names are those of the program."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

from pipelines import build_flags, cli, detect_flags, verify_tfrecords
from transforms.annotations.formats import FORMATS
from transforms.ledger.reasons import Reason

ROOT = Path(__file__).resolve().parent.parent
README = (ROOT / "README.md").read_text("utf-8")
MAKEFILE = (ROOT / "Makefile").read_text("utf-8")


def test_make_targets_exist() -> None:
    targets = set(re.findall(r"`make ([a-z-]+)`", README)) | set(re.findall(r"^make ([a-z-]+)$", README, re.MULTILINE))
    assert {"demo", "test"} <= targets
    assert targets <= set(re.findall(r"^([a-z-]+):", MAKEFILE, re.MULTILINE))


def test_ci_runs_the_readmes_test_command() -> None:
    assert "make test" in (ROOT / ".ci" / "run").read_text("utf-8").splitlines()


@pytest.mark.parametrize("command", re.findall(r"^boxmill (\w+)", README, re.MULTILINE))
def test_commands_exist(command: str) -> None:
    assert command in cli.COMMANDS


def test_flags_exist() -> None:
    known = {*build_flags.FLAGS, *detect_flags.FLAGS, *verify_tfrecords.FLAGS}
    beams = {"runner", "direct_num_workers", "direct_running_mode"}
    elsewhere = {"purge_orphaned_data", "help", "video"}
    assert set(re.findall(r"--(\w+)", README)) - elsewhere <= known | beams


def test_reasons_exist() -> None:
    section = README.split("### What is repaired, dropped or rejected")[1].split("##")[0]
    codes = {
        code for row in re.findall(r"^\| (`.*?) \|", section, re.MULTILINE) for code in re.findall(r"`(\w+)`", row)
    }
    assert codes
    assert codes <= {reason.value for reason in Reason}


def test_every_format_is_described_and_offered() -> None:
    assert ("auto", *FORMATS) == build_flags.FORMAT_NAMES
    assert all(f"(`{name}`)" in README for name in FORMATS)


@pytest.mark.skipif(not (ROOT / ".venv" / ".ready").exists(), reason="the environment of `make` is not set up")
def test_make_demo_runs() -> None:
    """The README's first command; the second is the one that runs this test."""
    result = subprocess.run(["make", "demo"], cwd=ROOT, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stdout + result.stderr
    assert "every byte is accounted for" in result.stdout
    assert (ROOT / "demo" / "datasets" / "shapes" / "1.0.0" / "manifest.json").exists()
    assert list((ROOT / "demo" / "found").glob("shapes-*/annotated.mp4"))
