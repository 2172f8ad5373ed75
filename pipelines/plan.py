"""``boxmill plan``: what a build or a detection would take, before anything is paid for or written."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING

from pipelines.flags import HELP_FLAGS, UsageError, parse_flags

if TYPE_CHECKING:
    from transforms.planning.prices import Prices

EXIT_OK, EXIT_FAILED = 0, 1
COMMANDS = ("build", "detect")
# After its imports, a command's runner and first worker take about so many times as long as these again.
_RUNNER_START = 1.0


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the command; returns its exit code."""
    argv = sys.argv[1:] if argv is None else list(argv)
    if HELP_FLAGS & set(argv):
        from pipelines.plan_flags import plan_help

        print(plan_help(), end="")
        return EXIT_OK
    try:
        return _run(argv)
    except UsageError as error:
        print(f"boxmill plan: {error}", file=sys.stderr)
        return EXIT_FAILED


def _run(argv: Sequence[str]) -> int:
    if not argv or argv[0] not in COMMANDS:
        raise UsageError(f"say what to plan: boxmill plan {'|'.join(COMMANDS)} and the flags of that command")
    command, *rest = argv
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    begun = time.monotonic()
    from pipelines import quiet_beam

    quiet_beam.quieten()
    from pipelines.plan_flags import flags_for
    from pipelines.plan_report import to_json, to_text
    from transforms.detectors.label_maps import LabelMapRefused
    from transforms.detectors.refusal import ModelRefused
    from transforms.examples.class_ids import ClassIdsRefused
    from transforms.splits.build_plan import NothingToBuild

    values, options = parse_flags(flags_for(command), rest)
    workers = _workers(values.plan_workers)
    prices = _read_prices(values.plan_prices)
    try:
        if command == "build":
            from pipelines.plan_build import plan_build as plan
        else:
            from pipelines.plan_detect import plan_detect as plan
        report = plan(values, options, (time.monotonic() - begun) * (1 + _RUNNER_START))
    except (NothingToBuild, ClassIdsRefused, ModelRefused, LabelMapRefused) as error:
        raise UsageError(str(error)) from None
    show = to_json if values.plan_json else to_text
    print(show(report, report.worker(prices), workers), end="")
    return EXIT_OK


def _workers(texts: Sequence[str]) -> list[int]:
    numbers = []
    for text in texts:
        if not text.strip().isdecimal() or int(text) < 1:
            raise UsageError(f"--plan_workers={','.join(texts)}: {text!r} is no number of workers")
        numbers.append(int(text))
    if not numbers:
        raise UsageError("--plan_workers is empty; give numbers of workers, such as 1,100")
    return numbers


def _read_prices(path: str | None) -> Prices:
    from transforms import storage
    from transforms.planning.prices import Prices, parse_prices
    from transforms.sources.documents import DocumentError

    if not path:
        return Prices()
    try:
        return parse_prices(storage.read_bytes(path))
    except OSError as error:
        raise UsageError(f"--plan_prices={path} cannot be read: {error.strerror}") from None
    except DocumentError as error:
        raise UsageError(f"--plan_prices={path}: {error}") from None


if __name__ == "__main__":
    sys.exit(main())
