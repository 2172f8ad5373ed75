"""The flags of ``boxmill plan``, beside those of the command that is planned."""

from __future__ import annotations

import copy

from absl import flags

from pipelines import build_flags, detect_flags
from pipelines.flags import help_text

PLAN_FLAGS = flags.FlagValues()
flags.DEFINE_list("plan_workers", ["1", "10", "100", "1000"], "Numbers of workers to plan for.", flag_values=PLAN_FLAGS)
flags.DEFINE_string(
    "plan_prices",
    None,
    "YAML file of prices and of the machine that a worker is; see docs/plan.md. Default: examples to replace.",
    flag_values=PLAN_FLAGS,
)
flags.DEFINE_integer(
    "plan_sample", 500, "Images, and files of annotations, to look at.", lower_bound=10, flag_values=PLAN_FLAGS
)
flags.DEFINE_float(
    "plan_rate",
    None,
    "Images (build) or frames (detect) a second that one worker does, in place of measuring it here.",
    lower_bound=1e-6,
    flag_values=PLAN_FLAGS,
)
flags.DEFINE_boolean("plan_json", False, "Print JSON in place of text.", flag_values=PLAN_FLAGS)


def flags_for(command: str) -> flags.FlagValues:
    """The flags of ``boxmill plan COMMAND``."""
    known = copy.deepcopy({"build": build_flags.FLAGS, "detect": detect_flags.FLAGS}[command])
    known.append_flag_values(PLAN_FLAGS)
    return known


def plan_help() -> str:
    """The text of ``boxmill plan --help``."""
    return help_text(
        "Says what a build or a detection would take: counts, bytes, time, cost, and what would limit it. Nothing is "
        "written.\nGive the flags of `boxmill build` or `boxmill detect` as they are, and perhaps some of these.",
        "boxmill plan build|detect [flags of that command] [flags]",
        PLAN_FLAGS,
        [
            "boxmill plan build --annotations=instances.json --images=photos --output=data --name=shop",
            "boxmill plan detect --videos='cams/*.mp4' --model=ssd_mobilenet --output=found --plan_prices=prices.yaml",
        ],
        takes_beam_options=False,
    )
