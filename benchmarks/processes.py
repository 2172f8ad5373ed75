"""Runs a command as a whole process and measures it and all its children."""

from __future__ import annotations

import os
import subprocess
import tempfile
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import psutil

_NO_BYTECODE = "PYTHONDONTWRITEBYTECODE"
_POLL_SECONDS = 2.0  # asking costs the processes asked: with five of them, a twentieth of two cores at twice a second


@dataclass(frozen=True, slots=True)
class Run:
    """A finished command.

    Attributes:
      seconds: from start to end.
      rss: peak over time of the memory of all its processes, bytes; pages that processes share count once (PSS).
      largest: peak RSS of its largest process, bytes, as the kernel keeps it.
      output: of stdout and stderr.
    """

    seconds: float
    rss: int
    largest: int
    output: str


def run(command: Sequence[str], environment: Mapping[str, str] | None = None) -> Run:
    """Runs a command to its end.

    Python may write its bytecode there, as it lies ready in an installed package.

    Raises:
      RuntimeError: it failed; the message holds the end of its output.
    """
    environment = {name: value for name, value in (environment or os.environ).items() if name != _NO_BYTECODE}
    with tempfile.TemporaryFile("w+") as output:
        start = time.perf_counter()
        process = psutil.Popen(command, stdout=output, stderr=subprocess.STDOUT, env=environment)
        peaks = {"sum": 0, "largest": 0}
        watcher = threading.Thread(target=_watch, args=(process, peaks), daemon=True)
        watcher.start()
        code = process.wait()
        seconds = time.perf_counter() - start
        watcher.join()
        output.seek(0)
        text = output.read()
    if code not in (0, 2):
        raise RuntimeError(f"{' '.join(command)} exited with {code}:\n{text[-2000:]}")
    return Run(seconds, peaks["sum"], peaks["largest"], text)


def _watch(process: psutil.Process, peaks: dict[str, int]) -> None:
    while process.is_running() and process.status() != psutil.STATUS_ZOMBIE:
        total = 0
        try:
            family = [process, *process.children(recursive=True)]
        except psutil.NoSuchProcess:
            return
        for item in family:
            total += _bytes_of(item.pid, "smaps_rollup", "Pss:")
            peaks["largest"] = max(peaks["largest"], _bytes_of(item.pid, "status", "VmHWM:"))
        peaks["sum"] = max(peaks["sum"], total)
        time.sleep(_POLL_SECONDS)


def _bytes_of(pid: int, file_name: str, field: str) -> int:
    """What the kernel itself says of a process, in bytes; 0 if it is gone. Its sums cost far less than adding up maps,
    and its peak (VmHWM) misses nothing between two looks."""
    try:
        with open(f"/proc/{pid}/{file_name}", encoding="ascii") as file:
            return next((int(line.split()[1]) << 10 for line in file if line.startswith(field)), 0)
    except OSError:
        return 0
