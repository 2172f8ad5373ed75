"""A dataset a day, on this machine (``boxmill_daily``) or on Dataflow (``boxmill_daily_dataflow``).

Both build the data of a day, ``INPUT/dt=2026-01-31/``, to ``OUTPUT/dt=2026-01-31/NAME/1.0.0``: the day is the run's
own, never today's, so that an old day can be built, too. A day that is built already is not built again. Two runs of a
day do not meet: Airflow runs one at a time, a build locks its dataset, and Dataflow refuses a second job of a name.

Settings are Airflow variables: docs/scheduling.md has them all.
"""

from __future__ import annotations

import os
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from airflow.providers.apache.beam.operators.beam import BeamRunPythonPipelineOperator
from airflow.providers.google.cloud.hooks.gcs import GCSHook
from airflow.providers.google.cloud.operators.dataflow import DataflowStartFlexTemplateOperator
from airflow.providers.standard.operators.bash import BashOperator
from airflow.sdk import dag, task
from airflow.timetables.interval import CronDataIntervalTimetable

# The Python of Boxmill's own environment: Airflow's has other versions of the same packages.
PYTHON = os.environ.get("BOXMILL_PYTHON", "python3")
SCRIPT = str(Path(__file__).with_name("run_build.py"))

DAY = "dt={{ ds }}"  # the first day of the data interval
INPUT = "{{ var.value.boxmill_input }}/" + DAY
OUTPUT = "{{ var.value.boxmill_output }}/" + DAY
NAME = "{{ var.value.boxmill_name }}"
DATASET = f"{OUTPUT}/{NAME}/1.0.0"
FLAGS = {"annotations": f"{INPUT}/annotations", "images": f"{INPUT}/images", "output": OUTPUT, "name": NAME}

EACH_DAY: dict[str, Any] = {
    # A run's interval is a whole day; it begins when that is over.
    "schedule": CronDataIntervalTimetable("0 0 * * *", timezone="UTC"),
    "start_date": datetime(2026, 1, 1),
    "catchup": False,
    "max_active_runs": 1,
    "default_args": {"retries": 2, "retry_delay": timedelta(minutes=5)},
    "tags": ["boxmill"],
}


def verify(**arguments: Any) -> BashOperator:
    """The last task: every byte of the dataset is accounted for, whoever built it."""
    command = f"'{PYTHON}' -m pipelines.cli verify '{DATASET}' --image_decode=full"
    return BashOperator(task_id="verify", bash_command=command, append_env=True, **arguments)


@dag(dag_id="boxmill_daily", doc_md=__doc__, **EACH_DAY)
def on_this_machine() -> None:
    """Builds with Beam's local runner; a day that is there already costs a second."""
    build = BeamRunPythonPipelineOperator(
        task_id="build",
        runner="DirectRunner",
        py_file=SCRIPT,
        py_interpreter=PYTHON,
        pipeline_options=FLAGS | {"direct_running_mode": "multi_processing", "direct_num_workers": 2},
    )
    build >> verify()


@dag(dag_id="boxmill_daily_dataflow", doc_md=__doc__, **EACH_DAY)
def on_dataflow() -> None:
    """Launches the flex template; its launcher must not find the day built, so that is asked before."""

    @task.short_circuit(ignore_downstream_trigger_rules=False)
    def is_to_be_built(dataset: str) -> bool:
        bucket, _, name = dataset.removeprefix("gs://").partition("/")
        return not GCSHook().exists(bucket, f"{name}/manifest.json")

    build = DataflowStartFlexTemplateOperator(
        task_id="build",
        project_id="{{ var.value.boxmill_project }}",
        location="{{ var.value.boxmill_region }}",
        append_job_name=False,  # the day in the name is the lock
        body={
            "launchParameter": {
                "jobName": "boxmill-{{ var.value.boxmill_name | replace('_', '-') | lower }}-{{ ds }}",
                "containerSpecGcsPath": "{{ var.value.boxmill_template }}",
                "parameters": FLAGS,
                "environment": {
                    "tempLocation": "{{ var.value.boxmill_temp }}",
                    "machineType": "n2-standard-4",
                    "maxWorkers": 20,
                    "additionalUserLabels": {"started-by": "airflow"},
                },
            }
        },
    )
    is_to_be_built(DATASET) >> build >> verify(trigger_rule="none_failed")


on_this_machine()
on_dataflow()
