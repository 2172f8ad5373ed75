"""The command ``boxmill``: finds the command that is meant and hands it the rest of the line."""

from __future__ import annotations

import importlib
import os
import sys
from collections.abc import Sequence
from difflib import get_close_matches
from typing import NoReturn

from pipelines.flags import HELP_FLAGS, runs_here
from pipelines.version import VERSION

COMMANDS = {
    "build": ("pipelines.build_tfrecords", "annotated images to a TFRecord dataset"),
    "demo": ("pipelines.demo", "try it: a generated sample, built and verified"),
    "detect": ("pipelines.detect_video", "detection model over videos, every frame accounted for"),
    "diff": ("pipelines.diff_datasets", "what came, went and changed between two datasets"),
    "inspect": ("pipelines.inspect_input", "what a model, a dataset or a video is, on one screen"),
    "plan": ("pipelines.plan", "what a build or a detection would take and cost, before it runs"),
    "verify": ("pipelines.verify_tfrecords", "check every byte of a dataset"),
}
# On this machine these work in processes of their own, one unless the user says more: within this one, their work would
# share the interpreter's lock with the engine.
_IN_PROCESSES = ("build", "verify")
_MODE_FLAG = "--direct_running_mode"
_RESUMED = (["build"], ["detect"])
_EXIT_INTERRUPTED = 130  # as shells have it: 128 and the number of the signal


def run() -> NoReturn:
    """Runs the command of this process and ends it at once: to take Beam apart object by object takes half a second."""
    try:
        code = main()
    except KeyboardInterrupt:
        is_resumed = sys.argv[1:2] in _RESUMED and runs_here(sys.argv)
        kept = "; the same command goes on with what is finished" if is_resumed else ""
        print(f"boxmill: interrupted{kept}", file=sys.stderr)
        code = _EXIT_INTERRUPTED
    if _is_elsewhere(sys.argv):
        sys.exit(code)  # a job server that Beam started is stopped on the way out
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


def main(argv: Sequence[str] | None = None) -> int:
    """Runs a command; returns its exit code."""
    argv = sys.argv[1:] if argv is None else list(argv)
    if not argv or argv[0] in HELP_FLAGS:
        print(_help(), end="")
        return 0 if argv else 1
    name, *rest = argv
    if name == "--version":
        print(f"boxmill {VERSION}")
        return 0
    if name not in COMMANDS:
        close = get_close_matches(name, COMMANDS, 1)
        advice = f"did you mean {close[0]}?" if close else f"the commands are {', '.join(COMMANDS)}"
        print(f"boxmill: unknown command {name!r}, {advice}", file=sys.stderr)
        return 1
    if name in _IN_PROCESSES and runs_here(rest) and not any(argument.startswith(_MODE_FLAG) for argument in rest):
        rest.append(f"{_MODE_FLAG}=multi_processing")
    module = importlib.import_module(COMMANDS[name][0])
    return int(module.main(rest))


def _is_elsewhere(arguments: Sequence[str]) -> bool:
    """Whether a runner is named that is not of this machine."""
    runners = [argument for argument in arguments if argument == "--runner" or argument.startswith("--runner=")]
    return any("direct" not in runner.lower() for runner in runners)


def _help() -> str:
    lines = ["Boxmill: datasets for object detectors, and detectors over video, on Apache Beam.", ""]
    lines += ["Usage: boxmill COMMAND [flags]", "", "Commands:"]
    lines += [f"  {name:<8} {text}" for name, (_, text) in COMMANDS.items()]
    lines += ["", "boxmill COMMAND --help lists the flags of a command."]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    run()
