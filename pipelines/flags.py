"""One command line for two owners: our flags by absl, Beam's options by Beam; what neither knows is refused.

Flags are defined into a ``FlagValues`` of each command, so that nothing global is parsed and commands do not see each
other's flags.
"""

from __future__ import annotations

import copy
import difflib
import re
import textwrap
from collections.abc import Sequence
from typing import TYPE_CHECKING, NoReturn

from absl import flags

if TYPE_CHECKING:
    from apache_beam.options.pipeline_options import PipelineOptions

HELP_FLAGS = frozenset({"-h", "-help", "--help", "--helpfull", "--helpshort", "-?"})
_OTHER_RUNNER = re.compile(r"--runner[= ](?!(\S+\.)?(direct|fnapi|bundlebaseddirect)runner\b)", re.IGNORECASE)


class UsageError(Exception):
    """A mistake of the user on the command line; the message says what to change."""


def parse_flags(defined: flags.FlagValues, argv: Sequence[str]) -> tuple[flags.FlagValues, PipelineOptions]:
    """Parses a command line without the program's name.

    Args:
      defined: the command's flags; they are not changed.
      argv: arguments; those that absl does not know are Beam's.

    Returns:
      The command's flags with their values, and Beam's options.

    Raises:
      UsageError: a flag nobody knows, a value that does not fit, or an argument that is no flag.
    """
    values = copy.deepcopy(defined)
    values.set_gnu_getopt(True)  # else parsing ends at the first value that stands apart from its flag
    try:
        rest = values(["boxmill", *argv], known_only=True)[1:]
    except flags.Error as error:
        raise UsageError(str(error)) from None
    return values, _beam_options(values, rest)


def _beam_options(values: flags.FlagValues, rest: Sequence[str]) -> PipelineOptions:
    from apache_beam.options import pipeline_options
    from apache_beam.options.pipeline_options import PipelineOptions

    from pipelines.quick_beam import QuickOptions

    class Parser(pipeline_options._BeamArgumentParser):
        def error(self, message: str) -> NoReturn:
            raise UsageError(message)

    parser = Parser(allow_abbrev=False, add_help=False)
    for options in {str(cls): cls for cls in PipelineOptions.__subclasses__()}.values():
        options._add_argparse_args(parser)
    _, unknown = parser.parse_known_args(list(rest))
    if unknown:
        known = [f"--{name}" for name in values]
        known += [name for action in parser._actions for name in action.option_strings]
        raise UsageError(_unknown_message(unknown[0], known))
    beam_options = QuickOptions(list(rest))
    _check_runner(str(beam_options.view_as(pipeline_options.StandardOptions).runner or ""))
    workers = beam_options.view_as(pipeline_options.DirectOptions).direct_num_workers
    if workers < 0:
        raise UsageError(f"--direct_num_workers={workers} must be 0 (one for each core) or more")
    return beam_options


def _check_runner(name: str) -> None:
    """Refuses a runner that there is not before anything is written; classes of other packages are Beam's to find."""
    from apache_beam.options.pipeline_options import StandardOptions

    from pipelines.runner import REFUSED_RUNNERS

    known = [*StandardOptions.KNOWN_RUNNER_NAMES, *REFUSED_RUNNERS]
    if name and "." not in name and name.lower() not in map(str.lower, known):
        close = difflib.get_close_matches(name, StandardOptions.KNOWN_RUNNER_NAMES, 1) or ["DirectRunner"]
        raise UsageError(f"--runner={name} is no runner of Beam; did you mean {close[0]}?")


def _unknown_message(argument: str, known: Sequence[str]) -> str:
    if not argument.startswith("-"):
        return f"{argument!r} is no flag: values are given as --flag=value"
    name = argument.split("=")[0]
    close = difflib.get_close_matches(name, known, 1)
    return f"unknown flag {name}" + (f", did you mean {close[0]}?" if close else "; --help lists the flags")


def _shown(default: object) -> str:
    return ",".join(map(str, default)) if isinstance(default, list) else str(default).removesuffix(".0")


def flag_sentences(text: str) -> str:
    """A flag's help without what absl adds to it of its own."""
    return re.sub(r"^<\S*>: |; ?repeat this option.*", "", " ".join(text.split()))


def help_text(
    summary: str,
    usage: str,
    defined: flags.FlagValues,
    examples: Sequence[str] = (),
    *,
    takes_beam_options: bool = True,
) -> str:
    """The text of ``--help``: what the command does, its flags in the order of their definition, examples."""
    lines = [summary, "", f"Usage: {usage}", "", "Flags:"]
    for flag in (item for items in defined.flags_by_module_dict().values() for item in items):
        choices = getattr(flag.parser, "enum_values", None)
        kind = "|".join(choices) if choices else flag.flag_type().split()[-1].upper()
        head = f"  --{flag.name}" if flag.boolean else f"  --{flag.name}={kind}"
        default = f" (default: {_shown(flag.default)})" if flag.default not in (None, False, "", []) else ""
        lines.append(head)
        lines += textwrap.wrap(
            flag_sentences(flag.help) + default, 100, initial_indent=" " * 6, subsequent_indent=" " * 6
        )
    if takes_beam_options:
        lines += ["", "Any option of Apache Beam may stand beside these, such as --runner, --direct_num_workers=N and"]
        lines += ["--direct_running_mode=multi_processing (each worker a process: the default of build and verify)."]
    if examples:
        lines += ["", "Examples:", *(f"  {example}" for example in examples)]
    return "\n".join(lines) + "\n"


def runs_here(argv: Sequence[str]) -> bool:
    """Whether a command line leaves the pipeline to this machine; it need not be a valid one."""
    return not _OTHER_RUNNER.search(" ".join(argv))
