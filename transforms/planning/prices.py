"""What workers, shuffles and storage cost, and how quickly they are there."""

from __future__ import annotations

import math
from dataclasses import dataclass, fields, replace
from typing import Any

from transforms.sources.documents import DocumentError, check_document, read_document

GB = 1e9


@dataclass(frozen=True, slots=True)
class Prices:
    """Prices and the machine that a worker is.

    The defaults are **examples to replace**: list prices of early 2025 of Dataflow (batch) and Cloud Storage (Standard)
    in us-central1, for a worker of one virtual CPU and 4 GB.

    Attributes:
      source: where and when the prices are from.
      currency: their unit.
      vcpu_hour, memory_gb_hour, accelerator_hour: of a worker's virtual CPU, GB of memory, and accelerators together.
      shuffle_gb: of data that goes through a shuffle.
      storage_gb_month: of the results, kept.
      thousand_writes, thousand_reads: of storage requests that write or list, and that read.
      worker_vcpus, worker_memory_gb: of one worker. 0 virtual CPUs: one for ``build``; for ``detect`` as many as the
        machine has on which the rate was measured.
      start_seconds: until a new worker works; it is paid for.
      requests_per_second: reads that the storage answers before it has to grow.
    """

    source: str = "examples: list prices of Dataflow and Cloud Storage in us-central1, early 2025"
    currency: str = "USD"
    vcpu_hour: float = 0.056
    memory_gb_hour: float = 0.003557
    accelerator_hour: float = 0.0
    shuffle_gb: float = 0.011
    storage_gb_month: float = 0.020
    thousand_writes: float = 0.005
    thousand_reads: float = 0.0004
    worker_vcpus: float = 0.0
    worker_memory_gb: float = 4.0
    start_seconds: float = 180.0
    requests_per_second: float = 5000.0

    @property
    def worker_hour(self) -> float:
        """Of one worker with all that it has."""
        return (
            max(1.0, self.worker_vcpus) * self.vcpu_hour
            + self.worker_memory_gb * self.memory_gb_hour
            + self.accelerator_hour
        )

    def cost(self, worker_hours: float, shuffle_bytes: float, reads: float, writes: float) -> float:
        """Of a run, without keeping its results."""
        return (
            worker_hours * self.worker_hour
            + shuffle_bytes / GB * self.shuffle_gb
            + reads / 1000 * self.thousand_reads
            + writes / 1000 * self.thousand_writes
        )


_TEXT, _NUMBER = {"type": "string"}, {"type": "number", "minimum": 0}
_SCHEMA: dict[str, Any] = {
    "type": "object",
    "description": "prices by their names, such as vcpu_hour: 0.05",
    "properties": {item.name: _TEXT if isinstance(item.default, str) else _NUMBER for item in fields(Prices)},
    "additionalProperties": False,
}


def parse_prices(data: bytes) -> Prices:
    """Prices from a YAML or JSON mapping; what it leaves out is as in the examples, and ``source`` says so.

    Raises:
      DocumentError: no such document, a name that is not known, or a value that does not fit.
    """
    document = read_document(data)
    check_document(document, _SCHEMA)
    endless = [name for name, value in document.items() if not isinstance(value, str) and not math.isfinite(value)]
    if endless:
        raise DocumentError(f"{endless[0]} is {document[endless[0]]}, it must be a number of 0 or more")
    missing = [name for name in _SCHEMA["properties"] if name not in document and name != "source"]
    source = str(document.get("source", "given"))
    if missing:
        source += f"; as in the examples: {', '.join(missing)}"
    return replace(Prices(), **{**document, "source": source})
