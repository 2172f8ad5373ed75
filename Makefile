# Everything sets itself up: a bare Python 3.11 with venv is enough.
PYTHON ?= python3.11
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
GARDEN := .venv-garden
CLOUD := .venv-cloud
AIRFLOW := .venv-airflow
WORKERS ?= 2

.PHONY: demo test test-all check lint types format garden cloud dataflow-test airflow-test benchmark benchmark-peers clean

$(READY): requirements.txt setup.py
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --requirement requirements.txt
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --editable .
	touch $(READY)

## demo: build a small dataset from generated pictures, verify it, and say where it is
demo: $(READY)
	$(BIN)/python -m pipelines.demo demo

## test: lint, types and all tests but the slow ones; of Flink a single build, where Java and Maven are there
test: $(READY) check
	$(BIN)/python -m pytest -n $(WORKERS) --dist loadfile -m "not slow and not benchmark and not flink"
	$(MAKE) flink-test FLINK_TESTS=both_workers

## test-all: the slow tests too (sweeps of minutes)
test-all: $(READY) check
	$(BIN)/python -m pytest -n $(WORKERS) --dist loadfile -m "not benchmark and not flink"

check: lint types

lint: $(READY)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(READY)
	$(BIN)/mypy

## format: the code in form, and the files that are made of it
format: $(READY)
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .
	$(BIN)/python -m deploy.dataflow.metadata

$(GARDEN)/.ready:
	$(PYTHON) -m venv $(GARDEN)
	$(GARDEN)/bin/python -m pip install --quiet --disable-pip-version-check "tf-models-official==2.20.0" "setuptools<80"
	touch $(GARDEN)/.ready

## garden: Model Garden in an environment of its own, for its reader's test and for the benchmark
garden: $(GARDEN)/.ready

$(CLOUD)/.ready: requirements.txt requirements-cloud.txt
	test -x $(CLOUD)/bin/python || $(PYTHON) -m venv $(CLOUD)
	$(CLOUD)/bin/python -m pip install --quiet --disable-pip-version-check --requirement requirements.txt --requirement requirements-cloud.txt
	touch $(CLOUD)/.ready

## cloud: an environment with the libraries of Google Cloud, from which jobs are submitted to Dataflow
cloud: $(CLOUD)/.ready

## dataflow-test: jobs for Dataflow, submitted to a service on this machine and run by its worker
dataflow-test: $(CLOUD)/.ready
	$(CLOUD)/bin/python -m pytest tests/deploy/test_dataflow_jobs.py tests/deploy/test_dataflow_template.py \
		tests/pipelines/test_dataflow.py

$(AIRFLOW)/.ready: deploy/airflow/requirements.txt
	test -x $(AIRFLOW)/bin/python || $(PYTHON) -m venv $(AIRFLOW)
	$(AIRFLOW)/bin/python -m pip install --quiet --disable-pip-version-check --requirement deploy/airflow/requirements.txt
	touch $(AIRFLOW)/.ready

## airflow-test: the daily build in a real Airflow, which gets an environment of its own (1.6 GB)
airflow-test: $(READY) $(AIRFLOW)/.ready
	$(BIN)/python -m pytest tests/deploy/test_airflow.py

## flink-test: jobs on a Flink cluster of this machine; the first time it fetches some 400 MB
flink-test: $(READY)
	$(BIN)/python -m pytest -m flink -k "$(FLINK_TESTS)" tests/deploy/test_flink.py

## flink-smoke: the two of them that matter most: one build on two workers, one whose worker is killed
flink-smoke:
	$(MAKE) flink-test FLINK_TESTS="both_workers or killed_worker"

## benchmark: boxmill build beside its peers; wants an idle machine and takes some minutes
benchmark: $(READY)
	$(BIN)/python -m benchmarks.build

clean:
	rm -rf $(VENV) $(GARDEN) $(CLOUD) $(AIRFLOW) demo build dist *.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis
