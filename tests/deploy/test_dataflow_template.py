"""The flex templates say what the commands take, and the image holds what they need."""

from __future__ import annotations

import itertools
import json
import re
import shlex
from pathlib import Path
from typing import Any

import apache_beam as beam
import pytest
from apache_beam.options.pipeline_options import PipelineOptions

from deploy.dataflow.launch import command_line
from deploy.dataflow.metadata import TEMPLATES, Template, text
from pipelines import dataflow
from pipelines.cli import COMMANDS
from pipelines.flags import UsageError, parse_flags

ROOT = Path(__file__).resolve().parents[2]
DOCKERFILE = (ROOT / "deploy" / "dataflow" / "Dockerfile").read_text("utf-8")
MADE = "make it by python -m deploy.dataflow.metadata"


def parameters(template: Template) -> list[dict[str, Any]]:
    return list(json.loads(template.file.read_text("utf-8"))["parameters"])


@pytest.mark.parametrize("template", TEMPLATES, ids=lambda template: template.command)
class TestMetadata:
    def test_is_made_from_the_flags(self, template: Template) -> None:
        assert template.file.read_text("utf-8") == text(template), MADE

    def test_names_every_flag_once(self, template: Template) -> None:
        names = [parameter["name"] for parameter in parameters(template)]
        assert len(names) == len(set(names))
        assert set(names) == {*template.flags, *template.beam_options}

    def test_every_parameter_is_taken_as_a_flag_of_one_word(self, template: Template) -> None:
        """A launcher gives ``--name=value``; every value that the metadata name must be a value of the flag."""
        for parameter in parameters(template):
            kind = parameter["paramType"]
            values = {"BOOLEAN": ["true", "false"], "ENUM": []}.get(kind, ["1"])
            values += [option["value"] for option in parameter.get("enumOptions", [])]
            values += [parameter["defaultValue"]] if "defaultValue" in parameter else []
            for value in values:
                parse_flags(template.flags, [f"--{parameter['name']}={value}"])

    def test_defaults_fit_their_patterns(self, template: Template) -> None:
        for parameter in parameters(template):
            for pattern in parameter.get("regexes", []):
                assert "defaultValue" not in parameter or re.search(pattern, parameter["defaultValue"])

    def test_help_is_for_a_launch(self, template: Template) -> None:
        for parameter in parameters(template):
            assert parameter["helpText"].endswith((".", "README", "install-nvidia-driver"))
            assert "several times" not in parameter["helpText"]

    def test_is_metadata_to_the_service(self, template: Template) -> None:
        dataflow = pytest.importorskip("google.cloud.dataflow_v1beta3", reason="`make cloud` makes its environment")
        parsed = dataflow.types.TemplateMetadata.from_json(template.file.read_text("utf-8"))
        assert {parameter.name for parameter in parsed.parameters} == {*template.flags, *template.beam_options}
        assert {parameter.name for parameter in parsed.parameters if not parameter.is_optional} == template.required

    def test_is_of_a_command_that_there_is(self, template: Template) -> None:
        assert template.command in COMMANDS


def test_the_launcher_runs_the_images_command_with_the_image_for_the_workers() -> None:
    environment = {"BOXMILL_COMMAND": "build", "BOXMILL_IMAGE": "registry/boxmill:1"}
    given = ["--name=shop", "--runner=DataflowRunner"]
    assert command_line(given, environment) == ["build", *given, "--sdk_container_image=registry/boxmill:1"]
    given.append("--sdk_container_image=other")
    assert command_line(given, environment) == ["build", *given]


def test_the_image_has_the_beam_of_this_project() -> None:
    assert re.findall(r"^ARG BEAM=(.*)", DOCKERFILE, re.MULTILINE) == [beam.version.__version__]
    assert set(re.findall(r"beam(\d[\d.]*\d)", DOCKERFILE)) == {beam.version.__version__}


def test_the_image_copies_what_there_is() -> None:
    copied = [name for line in re.findall(r"^COPY (?!--)(.*) \S+$", DOCKERFILE, re.MULTILINE) for name in line.split()]
    assert {"setup.py", "pipelines", "transforms"} <= set(copied)
    assert [name for name in copied if not (ROOT / name).exists()] == []


def test_workers_of_build_have_no_tensorflow() -> None:
    stages = {match[1]: match[2] for match in re.finditer(r"AS (\S+)\n(.*?)(?=\nFROM|\Z)", DOCKERFILE, re.DOTALL)}
    assert {name for name, steps in stages.items() if "tensorflow" in steps} == {"detect", "detect-gpu"}
    commands = {match[1] for steps in stages.values() for match in re.finditer(r"BOXMILL_COMMAND=(\w+)", steps)}
    assert commands == {template.command for template in TEMPLATES}


def commands_of(page: str) -> list[list[str]]:
    """The command lines of ``boxmill`` in a page of docs/, as lists of words."""
    blocks = re.findall(r"```sh\n(.*?)```", (ROOT / "docs" / page).read_text("utf-8"), re.DOTALL)
    lines = "".join(blocks).replace("\\\n", " ").splitlines()
    return [shlex.split(line)[1:] for line in lines if line.startswith("boxmill ")]


@pytest.mark.parametrize("words", commands_of("dataflow.md"), ids=lambda words: words[0])
def test_the_commands_of_the_docs_are_taken(words: list[str]) -> None:
    command, *given = words
    [template] = [template for template in TEMPLATES if template.command == command]
    _, options = parse_flags(template.flags, given)
    assert dataflow.is_dataflow(options)


def test_the_gpu_recipes_of_the_docs_pass_alone_and_not_together() -> None:
    text = (ROOT / "docs" / "dataflow.md").read_text("utf-8")
    rows = re.findall(r"^\| [^|]+ \| (`--[^|]+) \|", text, re.MULTILINE)
    recipes = [shlex.split(row.replace("`", "")) for row in rows]
    assert len(recipes) == 3
    for recipe in recipes:
        dataflow.check_accelerators(PipelineOptions(recipe))
    for one, other in itertools.combinations(recipes, 2):
        with pytest.raises(UsageError):
            dataflow.check_accelerators(PipelineOptions([*one, *other]))
