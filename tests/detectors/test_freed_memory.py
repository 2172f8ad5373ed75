from __future__ import annotations

import ctypes
import subprocess
import sys

import pytest

from transforms.detectors.freed_memory import keep_freed_memory

_PAGES_ASKED_FOR = """
import ctypes, resource
from transforms.detectors.freed_memory import keep_freed_memory

if {keep}:
    keep_freed_memory()
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for _ in range(10):
    ctypes.create_string_buffer(48 << 20)
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


@pytest.mark.skipif(not hasattr(ctypes.CDLL(None), "mallopt"), reason="the C library is not glibc")
def test_freed_memory_is_used_again() -> None:
    given_back, kept = (
        int(subprocess.check_output([sys.executable, "-c", _PAGES_ASKED_FOR.format(keep=keep)]))
        for keep in (False, True)
    )
    assert kept < given_back / 3


def test_another_c_library_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ctypes, "CDLL", lambda name: object())
    keep_freed_memory()
