"""The command line as a user meets it: quick help, and mistakes that end in one sentence and leave nothing behind."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from pathlib import Path

import pytest

from pipelines import build_flags, build_tfrecords, cli
from pipelines.demo_sample import write_sample
from tests.sample_data import build_dataset, coco, coco_image, jpeg, write_files

SAMPLE = "sample"


@pytest.fixture(scope="module")
def sample(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp(SAMPLE)
    write_sample(str(folder))
    return folder


def build_arguments(sample: Path, output: Path) -> dict[str, str]:
    return {
        "annotations": f"{sample}/annotations",
        "images": f"{sample}/images",
        "output": str(output),
        "name": "shapes",
    }


def as_argv(arguments: dict[str, str]) -> list[str]:
    return [f"--{name}={value}" for name, value in arguments.items()]


@pytest.mark.parametrize(
    "command",
    [["--help"], ["build", "--help"], ["verify", "--help"], ["plan", "--help"], ["demo", "--help"]],
    ids=" ".join,
)
def test_help_is_quick(command: list[str]) -> None:
    run = [sys.executable, "-m", "pipelines.cli", *command]
    subprocess.run(run, capture_output=True, check=True)  # once, so that bytecode is compiled
    seconds = []
    for _ in range(3):
        start = time.perf_counter()
        result = subprocess.run(run, capture_output=True, text=True, check=True)
        seconds.append(time.perf_counter() - start)
    assert "Usage" in result.stdout
    assert min(seconds) < 1.5


def test_help_imports_no_beam() -> None:
    code = "import sys; from pipelines import cli; cli.main(['build', '--help']); print('apache_beam' in sys.modules)"
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert result.stdout.rstrip().endswith("False")


def test_help_names_every_flag(capsys: pytest.CaptureFixture[str]) -> None:
    assert build_tfrecords.main(["--help"]) == 0
    text = capsys.readouterr().out
    assert all(f"--{flag}" in text for flag in build_flags.FLAGS)


MISTAKES = {
    "misspelt Beam option": ({"max_num_workrs": "4"}, "unknown flag --max_num_workrs, did you mean --max_num_workers?"),
    "misspelt own flag": ({"examples_per_shrd": "4"}, "did you mean --examples_per_shard?"),
    "annotations that are not there": (
        {"annotations": "/nowhere/a.json"},
        "--annotations=/nowhere/a.json does not exist",
    ),
    "pattern without a match": ({"annotations": "/nowhere/*.xml"}, "matches no file"),
    "images folder that is not there": ({"images": "/nowhere"}, "--images=/nowhere does not exist; / holds "),
    "name unfit for readers": ({"name": "my-shapes"}, "--name=my-shapes must begin with a letter"),
    "version of two numbers": ({"version": "1.0"}, "--version=1.0 must be three numbers"),
    "splits that do not add up": ({"splits": "train=0.8,val=0.1"}, "sum to 0.9"),
    "share that is no number": ({"splits": "train=most"}, "'most'"),
    "shards of an unknown split": ({"num_shards": "test=3"}, "--num_shards=test=3"),
    "two ways to size shards": ({"num_shards": "3", "examples_per_shard": "5"}, "give one of them"),
    "value out of a flag's range": ({"max_reject_ratio": "7"}, "max_reject_ratio"),
    "value that is no choice": ({"format": "cocoa"}, "cocoa"),
    "class map that is not there": (
        {"class_map": "/nowhere/map.pbtxt"},
        "--class_map=/nowhere/map.pbtxt cannot be read",
    ),
    "Beam option of the wrong type": ({"direct_num_workers": "many"}, "direct_num_workers"),
    "fewer workers than none": ({"direct_num_workers": "-1"}, "--direct_num_workers=-1 must be 0"),
    "runner that loses data": ({"runner": "DaskRunner"}, "refused"),
    "runner that there is not": ({"runner": "FlingRunner"}, "did you mean FlinkRunner?"),
    "runner of a package that there is not": ({"runner": "no.such.Runner"}, "--runner=no.such.Runner: "),
    "shards of no number": ({"num_shards": "0"}, "'0' is not a number from 1, or SPLIT=NUMBER"),
}


@pytest.mark.parametrize(("changes", "expected"), MISTAKES.values(), ids=MISTAKES.keys())
def test_mistake_ends_in_one_sentence(
    sample: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], changes: dict[str, str], expected: str
) -> None:
    output = tmp_path / "out"
    code = cli.main(["build", *as_argv(build_arguments(sample, output) | changes)])
    error = capsys.readouterr().err
    assert code == 1
    assert expected in error
    assert "Traceback" not in error
    assert error.count("\n") == 1
    assert not output.exists()


def test_missing_flag_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["build", "--annotations=a.json", "--output=out"]) == 1
    assert "--name is missing" in capsys.readouterr().err


def test_argument_that_is_no_flag(sample: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["build", *as_argv(build_arguments(sample, tmp_path / "out")), "more.json"]) == 1
    assert "'more.json' is no flag" in capsys.readouterr().err


def test_output_that_is_a_file(sample: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "out").write_text("mine")
    assert cli.main(["build", *as_argv(build_arguments(sample, tmp_path / "out"))]) == 1
    assert "choose another --output" in capsys.readouterr().err
    assert (tmp_path / "out").read_text() == "mine"


def test_folder_of_somebody_else(sample: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = tmp_path / "shapes" / "1.0.0"
    folder.mkdir(parents=True)
    (folder / "thesis.txt").write_text("mine")
    assert cli.main(["build", *as_argv(build_arguments(sample, tmp_path))]) == 1
    assert "is not empty and holds no dataset" in capsys.readouterr().err
    assert [path.name for path in folder.iterdir()] == ["thesis.txt"]


def test_images_folder_without_images(sample: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "empty").mkdir()
    arguments = build_arguments(sample, tmp_path / "out") | {"images": str(tmp_path / "empty")}
    assert cli.main(["build", *as_argv(arguments)]) == 1
    assert "holds no image" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_annotations_of_no_known_format(tmp_path: Path, sample: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "notes.json").write_text('{"hello": 1}')
    arguments = build_arguments(sample, tmp_path / "out") | {"annotations": str(tmp_path / "notes.json")}
    assert cli.main(["build", *as_argv(arguments)]) == 1
    assert "name one with --format" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_annotations_without_an_image(tmp_path: Path, sample: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "empty.json").write_text('{"images": [], "annotations": [], "categories": []}')
    arguments = build_arguments(sample, tmp_path / "out") | {"annotations": str(tmp_path / "empty.json")}
    assert cli.main(["build", *as_argv(arguments)]) == 1
    error = capsys.readouterr().err
    assert "the annotations name no image" in error
    assert "Traceback" not in error
    assert not (tmp_path / "out").exists()


def test_class_id_zero_is_refused_with_advice(tmp_path: Path, sample: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "zero.json").write_text(
        '{"images": [{"id": 1, "file_name": "shapes-001.jpg"}], "annotations": [],'
        ' "categories": [{"id": 0, "name": "x"}]}'
    )
    arguments = build_arguments(sample, tmp_path / "out") | {"annotations": str(tmp_path / "zero.json")}
    assert cli.main(["build", *as_argv(arguments)]) == 1
    error = capsys.readouterr().err
    assert "--class_ids=dense" in error
    assert "Traceback" not in error
    assert not (tmp_path / "out").exists()


def test_unknown_command(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["biuld"]) == 1
    assert "did you mean build?" in capsys.readouterr().err


def test_too_many_rejects_are_no_dataset(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pictures = [coco_image(number, f"{number}.jpg") for number in range(3)]
    write_files(tmp_path, {"a.json": json.dumps(coco(pictures, [])).encode(), "images/0.jpg": jpeg()})
    built = build_dataset(tmp_path / "out", tmp_path / "a.json", tmp_path / "images", "--max_reject_ratio=0.5")
    assert built.exit_code == 3
    sentence = (
        "2 of 3 images were rejected, more than --max_reject_ratio=0.5 allows; most often given: image_missing (2)."
    )
    assert sentence in capsys.readouterr().err
    assert not (built.folder / "manifest.json").exists()
