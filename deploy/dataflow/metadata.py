"""The parameters of the flex templates, from the flags of the commands.

``python -m deploy.dataflow.metadata`` writes ``build_metadata.json`` and ``detect_metadata.json`` beside this file, for
``gcloud dataflow flex-template build``. The fields are those of
https://cloud.google.com/dataflow/docs/reference/rest/v1b3/TemplateMetadata.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from absl import flags

from pipelines import build_flags, detect_flags
from pipelines.flags import flag_sentences

FOLDER = Path(__file__).resolve().parent
_NUMBERS = {"int": r"^-?[0-9]+$", "float": r"^-?[0-9]*\.?[0-9]+(e-?[0-9]+)?$"}
# Beam's options that a launch may give; the others are fields of the launch itself (--max-workers, …).
_IMAGE = {"sdk_container_image": "Image of the workers. Default: the one that launches."}
_GPU = {
    "dataflow_service_options": "The GPU: worker_accelerator=type:nvidia-tesla-t4;count:1;install-nvidia-driver",
    "experiments": "With a GPU: no_use_multiple_sdk_containers, one process a worker, which has it alone.",
    "number_of_worker_harness_threads": "Segments that one process works on at the same time.",
}


@dataclass(frozen=True, slots=True)
class Template:
    """A flex template.

    Attributes:
      command: of ``boxmill``.
      summary: what it does.
      flags: of the command.
      required: those without which it cannot run.
      beam_options: name and help of Beam's options that go with it.
    """

    command: str
    summary: str
    flags: flags.FlagValues
    required: frozenset[str]
    beam_options: dict[str, str]

    @property
    def file(self) -> Path:
        return FOLDER / f"{self.command}_metadata.json"


TEMPLATES = (
    Template(
        "build",
        "Annotated images to a TFRecord dataset.",
        build_flags.FLAGS,
        frozenset({"output", "name"}),
        _IMAGE,
    ),
    Template(
        "detect",
        "A TensorFlow detection model over videos, every frame accounted for.",
        detect_flags.FLAGS,
        frozenset({"videos", "model", "output"}),
        _IMAGE | _GPU,
    ),
)


def metadata(template: Template) -> dict[str, Any]:
    """The metadata of a template, ready for JSON."""
    own = [flag for group in template.flags.flags_by_module_dict().values() for flag in group]
    return {
        "name": f"boxmill {template.command}",
        "description": template.summary,
        "parameters": [_parameter(flag, is_optional=flag.name not in template.required) for flag in own]
        + [
            {"name": name, "label": _label(name), "helpText": text, "isOptional": True, "paramType": "TEXT"}
            for name, text in template.beam_options.items()
        ],
    }


def _parameter(flag: flags.Flag[Any], *, is_optional: bool) -> dict[str, Any]:
    parameter = {
        "name": flag.name,
        "label": _label(flag.name),
        # A launch gives each parameter once.
        "helpText": flag_sentences(flag.help).replace("; may be given several times", ""),
        "isOptional": is_optional,
        "paramType": "BOOLEAN" if flag.boolean else "TEXT",
    }
    if flag.default not in (None, "", []):
        default = flag.default
        parameter["defaultValue"] = ",".join(default) if isinstance(default, list) else str(default).lower()
    if choices := getattr(flag.parser, "enum_values", None):
        parameter |= {"paramType": "ENUM", "enumOptions": [{"value": choice, "label": choice} for choice in choices]}
    elif pattern := _NUMBERS.get(flag.flag_type()):
        parameter |= {"paramType": "NUMBER", "regexes": [pattern]}
    return parameter


def _label(name: str) -> str:
    return name.replace("_", " ").capitalize()


def text(template: Template) -> str:
    """The text of a template's file."""
    return json.dumps(metadata(template), indent=2, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    for template in TEMPLATES:
        template.file.write_text(text(template), "utf-8")
