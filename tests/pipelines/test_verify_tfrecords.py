"""``boxmill verify`` from its command line to its exit code."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from pipelines import cli, verify_tfrecords
from pipelines.verify_tfrecords import EXIT_CLEAN, EXIT_FOUND
from tests.verification import tiny_dataset
from transforms.verification.findings import Code


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a whole dataset; not to be changed."""
    return tiny_dataset.build(tmp_path_factory.mktemp("verify"))


@pytest.fixture
def dataset(whole: Path, tmp_path: Path) -> Path:
    """A copy of the dataset, to be damaged."""
    return Path(shutil.copytree(whole, tmp_path / "dataset"))


def test_whole(whole: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = sorted(whole.rglob("*"))
    assert cli.main(["verify", str(whole)]) == EXIT_CLEAN
    shown = capsys.readouterr()
    assert "5 shards, 16 records, 26 boxes" in shown.out
    assert f"every byte is accounted for: {whole}" in shown.out
    assert "verifying 100 %: 16 of 16 records" in shown.err
    assert sorted(whole.rglob("*")) == before, "nothing is written into a dataset"


def test_in_processes(whole: Path, capsys: pytest.CaptureFixture[str]) -> None:
    argv = ["--image_decode=full", str(whole), "--direct_running_mode=multi_processing", "--direct_num_workers=2"]
    assert verify_tfrecords.main(argv) == EXIT_CLEAN
    assert "5 shards, 16 records, 26 boxes" in capsys.readouterr().out


def test_damaged(dataset: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    shard = tiny_dataset.shard_files(dataset)[0]
    data = bytearray(shard.read_bytes())
    data[100] ^= 1
    shard.write_bytes(data)
    report = tmp_path / "findings.jsonl"
    assert verify_tfrecords.main([f"--dataset={dataset}", f"--report={report}"]) == EXIT_FOUND
    findings = [json.loads(line) for line in report.read_text(encoding="utf-8").splitlines()]
    assert {Code.SHARD_DIGEST, Code.SHARD_FRAMING} <= {finding["code"] for finding in findings}
    assert all(finding["file"] == shard.name and finding["remedy"] for finding in findings[:2])
    shown = capsys.readouterr().out
    assert f"{shard.name}: its SHA-256 is" in shown
    assert "-> copy the file again" in shown
    assert f"NOT WHOLE: {dataset}" in shown


def test_only_the_first_findings_are_shown(dataset: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for number in range(30):
        (dataset / f"tiny-extra.tfrecord-{number:05d}-of-00030").touch()
    assert verify_tfrecords.main([str(dataset)]) == EXIT_FOUND
    shown = capsys.readouterr().out
    assert shown.count("the manifest does not name this file") == 20
    assert "… and 10 more; --report=FILE writes all of them" in shown
    assert "30 findings: file_extra 30" in shown


def test_malformed_manifest(dataset: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (dataset / "manifest.json").write_text('{"format_version": 1, "name": 7}')
    assert verify_tfrecords.main([str(dataset)]) == EXIT_FOUND
    assert "[manifest_malformed]" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("argv", "message"),
    [
        ([], "boxmill verify: which dataset? Give its folder"),
        (["{root}"], "did you mean {whole}?"),
        (["{root}/nowhere"], "nowhere does not exist; {root} holds "),
        (["{whole}", "--dataset=x"], "both name a dataset"),
        (["{whole}", "--image_decod=full"], "did you mean --image_decode?"),
        (["{whole}", "--image_decode=half"], "half"),
        (["{whole}", "--report={root}/no/folder/x"], "its folder does not exist"),
    ],
)
def test_mistakes_end_in_one_sentence(
    whole: Path, argv: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    names = {"whole": str(whole), "root": str(whole.parents[1])}
    assert verify_tfrecords.main([argument.format(**names) for argument in argv]) == EXIT_FOUND
    shown = capsys.readouterr()
    assert message.format(**names) in shown.err
    assert len(shown.err.strip().splitlines()) == 1
    assert shown.out == ""


def test_help_needs_no_beam() -> None:
    program = (
        "import sys; from pipelines import verify_tfrecords; verify_tfrecords.main(['--help']); "
        "assert not {'apache_beam', 'pyarrow', 'numpy'} & set(sys.modules)"
    )
    shown = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert "--image_decode=none|sample|full" in shown.stdout


@pytest.mark.parametrize(
    ("argv", "named"),
    [
        (["d"], ["--dataset=d"]),
        (["--report=r", "d", "--x"], ["--dataset=d", "--report=r", "--x"]),
        (["--runner", "DirectRunner", "d"], ["--dataset=d", "--runner", "DirectRunner"]),
        (["--runner", "DirectRunner"], ["--runner", "DirectRunner"]),
        (["--dataset", "d"], ["--dataset", "d"]),
    ],
)
def test_a_folder_by_itself_is_the_dataset(argv: list[str], named: list[str]) -> None:
    assert verify_tfrecords._with_named_dataset(argv) == named
