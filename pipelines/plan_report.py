"""What ``boxmill plan`` prints: as text, or as JSON."""

from __future__ import annotations

import json
import textwrap
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any

from pipelines.build_summary import table
from transforms.planning.prices import GB, Prices
from transforms.planning.sampling import Estimate
from transforms.planning.stages import Stage, cost_of, run_with

# The job request that Dataflow takes at most (its quotas page).
MOST_GRAPH_BYTES = 10e6
_UNITS = (("TB", 1e12), ("GB", 1e9), ("MB", 1e6), ("kB", 1e3))


@dataclass(frozen=True, slots=True)
class PlanReport:
    """A plan, whatever is planned.

    Attributes:
      command: that is planned.
      stages: in order.
      counts: of what is read and made, by their names.
      sizes: in bytes.
      parts: images and shards of each split.
      rates: of one worker, in items a second.
      reads, writes: storage requests.
      reads_per_second: of one worker, at most.
      shuffle_bytes, output_bytes: as in ``sizes``.
      here_workers: worker processes that the command would use on this machine.
      here_start: seconds that they take to start.
      worker_start: seconds that each worker takes besides, as to load a model.
      vcpus: of a worker, if the prices do not say.
      notes: what the numbers rest on.
    """

    command: str
    stages: Sequence[Stage]
    counts: Mapping[str, Estimate]
    sizes: Mapping[str, Estimate]
    rates: Mapping[str, float]
    reads: float
    writes: float
    reads_per_second: float
    shuffle_bytes: float
    output_bytes: float
    here_workers: int
    here_start: float
    parts: Mapping[str, tuple[float, int]] = field(default_factory=dict)
    worker_start: float = 0.0
    vcpus: float = 1.0
    notes: Sequence[str] = ()

    @property
    def here_seconds(self) -> float:
        """That the command would take on this machine, with the workers that it would use."""
        return self.here_start + sum(stage.elapsed(self.here_workers) for stage in self.stages)

    def worker(self, prices: Prices) -> Prices:
        """Prices with the virtual CPUs of a worker, if they are not given."""
        return prices if prices.worker_vcpus else replace(prices, worker_vcpus=self.vcpus)

    def to_plain(self, prices: Prices, workers: Sequence[int]) -> dict[str, Any]:
        """Everything, as JSON has it."""
        return {
            "command": self.command,
            "counts": {name: asdict(item) for name, item in self.counts.items()},
            "splits": {name: {"images": images, "shards": shards} for name, (images, shards) in self.parts.items()},
            "bytes": {name: asdict(item) for name, item in self.sizes.items()},
            "rates": dict(self.rates),
            "requests": {"reads": self.reads, "writes": self.writes},
            "stages": [asdict(stage) for stage in self.stages],
            "here": {"workers": self.here_workers, "seconds": self.here_seconds},
            "runs": [self._run(prices, number) for number in workers],
            "storage_month": self.output_bytes / GB * prices.storage_gb_month,
            "prices": asdict(prices),
            "notes": list(self.notes),
        }

    def _run(self, prices: Prices, workers: int) -> dict[str, Any]:
        running = run_with(self.stages, workers, prices.start_seconds + self.worker_start)
        low, high = cost_of(running, prices, self.shuffle_bytes, self.reads, self.writes)
        reads = self.reads_per_second * min(workers, max(stage.parts for stage in self.stages))
        return {**asdict(running), "cost_low": low, "cost_high": high, "reads_per_second": reads}


def graph_note(files: int, bytes_each: float, what: str) -> list[str]:
    """Said of a job whose description is too large for Dataflow."""
    graph = files * bytes_each
    if graph <= MOST_GRAPH_BYTES:
        return []
    return [
        f"the list of {files:,} {what} travels in the job's description, {size(graph)}; Dataflow takes "
        f"{size(MOST_GRAPH_BYTES)}: divide them among several runs"
    ]


def to_json(report: PlanReport, prices: Prices, workers: Sequence[int]) -> str:
    return json.dumps(report.to_plain(prices, workers), indent=1) + "\n"


def to_text(report: PlanReport, prices: Prices, workers: Sequence[int]) -> str:
    """The plan on one screen."""
    plain = report.to_plain(prices, workers)
    most = max(workers)
    lines = [f"Plan of boxmill {report.command}; nothing was written.", ""]
    lines += [f"  {name:<18} {_number(item)}" for name, item in report.counts.items()]
    if report.parts:
        header = ["split", "images", "shards"]
        lines += ["", *table(header, [[name, f"{n:,.0f}", f"{s:,}"] for name, (n, s) in report.parts.items()])]
    lines += ["", *(f"  {name:<18} {_bytes(item)}" for name, item in report.sizes.items())]
    lines += ["", *(f"  {name:<18} {rate:,.1f} a second on one worker" for name, rate in report.rates.items())]
    rows = [
        [stage.name, duration(stage.seconds), f"{stage.parts:,}", duration(stage.elapsed(most)), size(stage.memory)]
        for stage in report.stages
    ]
    lines += ["", *table(["step", "work", "pieces", f"at {most:,} workers", "memory of a worker"], rows)]
    plural = "s" if report.here_workers > 1 else ""
    lines += ["", f"  here, {report.here_workers} worker{plural}: {duration(report.here_seconds)}"]
    runs = [
        [
            f"{run['workers']:,}",
            duration(run["seconds"]),
            f"{run['busy_hours']:,.2f}",
            f"{run['cost_low']:,.2f} – {run['cost_high']:,.2f}",
            run["limit"],
        ]
        for run in plain["runs"]
    ]
    header = ["workers", "time", "worker-hours", f"cost ({prices.currency})", "what limits"]
    lines += ["", *_left_last(table(header, runs), [row[-1] for row in runs])]
    busiest = plain["runs"][workers.index(most)]["reads_per_second"]
    if busiest > prices.requests_per_second:
        lines.append(
            f"  storage: {most:,} workers ask for {busiest:,.0f} files a second; one that begins with "
            f"{prices.requests_per_second:,.0f} slows them down until it has grown"
        )
    lines += [
        "",
        f"  storage of the results: {plain['storage_month']:,.2f} {prices.currency} a month; "
        f"{report.reads:,.0f} reads and {report.writes:,.0f} writes are in the costs",
        "  cost: from workers that are given back when idle to all kept from begin to end",
        *_wrapped(f"prices: {prices.source}"),
        *(line for note in report.notes for line in _wrapped(note)),
    ]
    return "\n".join(lines) + "\n"


def _wrapped(text: str) -> list[str]:
    return textwrap.wrap(text, 110, initial_indent="  ", subsequent_indent="    ")


def _left_last(lines: Sequence[str], last: Sequence[str]) -> list[str]:
    """A table with its last column, of texts, to the left."""
    width = max(map(len, [*last, "what limits"]))
    ends = ["what limits", "-" * width, *last]
    return [line[: len(lines[1]) - width] + end for line, end in zip(lines, ends, strict=True)]


def _number(item: Estimate) -> str:
    return f"{item.value:,.0f}{_margin(item)}"


def _bytes(item: Estimate) -> str:
    return f"{size(item.value)}{_margin(item)}"


def _margin(item: Estimate) -> str:
    return f" ± {100 * item.margin:.0f} %" if item.margin >= 0.005 else ""


def size(value: float) -> str:
    """Bytes as people read them."""
    for unit, factor in _UNITS:
        if value >= factor:
            return f"{value / factor:,.1f} {unit}"
    return f"{value:,.0f} B"


def duration(seconds: float) -> str:
    """Seconds as people read them."""
    if seconds < 100:
        return f"{seconds:.1f} s"
    if seconds < 100 * 60:
        return f"{seconds / 60:.1f} min"
    return f"{seconds / 3600:,.1f} h"
