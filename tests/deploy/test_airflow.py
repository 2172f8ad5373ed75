"""The DAGs run in Airflow, in an environment of its own: two days, one of them twice, each verified."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from deploy.dataflow.metadata import TEMPLATES
from pipelines.demo_sample import write_sample

ROOT = Path(__file__).resolve().parents[2]
BIN = ROOT / ".venv-airflow" / "bin"

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not (BIN / "airflow").exists(), reason="`make airflow-test` makes Airflow's environment"),
]


class Airflow:
    """An Airflow with a database of its own."""

    def __init__(self, folder: Path):
        self.folder = folder
        self._environment = os.environ | {
            "AIRFLOW_HOME": str(folder / "airflow"),
            "AIRFLOW__CORE__DAGS_FOLDER": str(ROOT / "deploy" / "airflow"),
            "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
            "AIRFLOW_VAR_BOXMILL_INPUT": str(folder / "input"),
            "AIRFLOW_VAR_BOXMILL_OUTPUT": str(folder / "output"),
            "AIRFLOW_VAR_BOXMILL_NAME": "shapes",
            "BOXMILL_PYTHON": sys.executable,
            "PYTHONPATH": str(ROOT),
        }

    def run(self, *command: str) -> str:
        """Runs a program of the environment; returns all that it printed."""
        result = subprocess.run(
            [str(BIN / command[0]), *command[1:]],
            env=self._environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        assert result.returncode == 0, result.stdout
        return result.stdout

    def test_day(self, day: str) -> str:
        """Runs the DAG of this machine for a day; returns the log."""
        return self.run("airflow", "dags", "test", "boxmill_daily", day)

    def dataset(self, day: str) -> dict[str, bytes]:
        folder = self.folder / "output" / f"dt={day}" / "shapes" / "1.0.0"
        return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.fixture(scope="module")
def airflow(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Airflow]:
    folder = tmp_path_factory.mktemp("daily")
    for day in ("2026-01-30", "2026-01-31"):
        write_sample(str(folder / "input" / f"dt={day}"))
    airflow = Airflow(folder)
    airflow.run("airflow", "db", "migrate")
    return airflow


def test_two_days_and_one_of_them_again(airflow: Airflow) -> None:
    for day in ("2026-01-30", "2026-01-31"):
        log = airflow.test_day(day)
        assert "images: 75 read = 73 written" in log
        assert "every byte is accounted for" in log
        assert "successful" in log
    first = airflow.dataset("2026-01-30")
    assert first["manifest.json"]
    assert airflow.dataset("2026-01-31").keys() == first.keys()
    log = airflow.test_day("2026-01-30")
    assert "is already built from these inputs; nothing was done" in log
    assert "every byte is accounted for" in log
    assert airflow.dataset("2026-01-30") == first
    assert sorted(path.name for path in (airflow.folder / "output").iterdir()) == ["dt=2026-01-30", "dt=2026-01-31"]


SHOW = """
import json
from airflow.models.dagbag import DagBag
bag = DagBag()
assert not bag.import_errors, bag.import_errors
[build] = [task for task in bag.dags["boxmill_daily_dataflow"].tasks if task.task_id == "build"]
print("SHOWN " + json.dumps({
    "body": build.body,
    "appends": build.append_job_name,
    "runs": {name: dag.max_active_runs for name, dag in bag.dags.items()},
    "order": {name: [task.task_id for task in dag.topological_sort()] for name, dag in bag.dags.items()},
}))
"""


def test_the_launch_gives_what_the_template_takes(airflow: Airflow) -> None:
    line = next(line for line in airflow.run("python", "-c", SHOW).splitlines() if line.startswith("SHOWN "))
    shown: dict[str, Any] = json.loads(line.removeprefix("SHOWN "))
    launch = shown["body"]["launchParameter"]
    [template] = [template for template in TEMPLATES if template.command == "build"]
    assert set(launch["parameters"]) <= {*template.flags, *template.beam_options}
    assert template.required <= set(launch["parameters"])
    assert launch["jobName"].endswith("-{{ ds }}")
    assert not shown["appends"], "a job name with something random in it is no lock"
    assert set(shown["runs"].values()) == {1}
    assert shown["order"] == {
        "boxmill_daily": ["build", "verify"],
        "boxmill_daily_dataflow": ["is_to_be_built", "build", "verify"],
    }
