from __future__ import annotations

import ctypes
import subprocess
import sys

import pytest

from transforms import freed_memory

needs_glibc = pytest.mark.skipif(not hasattr(ctypes.CDLL(None), "mallopt"), reason="the C library is not glibc")

_PAGES_ASKED_FOR = """
import ctypes, resource
from transforms import freed_memory

{setting}
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for _ in range(10):
    ctypes.create_string_buffer({size})
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""
_RELEASED = """
import ctypes
from transforms.freed_memory import release_freed_memory

def resident():
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1])

blocks = [ctypes.create_string_buffer(10_000) for _ in range(5000)]
last = blocks.pop()  # above all others: they cannot go back by themselves
blocks.clear()
before = resident()
release_freed_memory()
print(before - resident())
"""


def printed(code: str) -> int:
    return int(subprocess.check_output([sys.executable, "-c", code]))


@needs_glibc
def test_freed_memory_is_used_again() -> None:
    given_back, kept = (
        printed(_PAGES_ASKED_FOR.format(setting=setting, size=48 << 20))
        for setting in ("", "freed_memory.keep_freed_memory()")
    )
    assert kept < given_back / 3


@needs_glibc
def test_freed_memory_is_given_back_at_once() -> None:
    kept, given_back = (
        printed(_PAGES_ASKED_FOR.format(setting=setting, size=300 << 10))
        for setting in ("", "freed_memory.return_freed_memory()")
    )
    assert given_back > 3 * kept


@needs_glibc
def test_what_was_freed_is_released() -> None:
    assert printed(_RELEASED) * 4096 > 40_000_000


def test_another_c_library_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ctypes, "CDLL", lambda name: object())
    freed_memory.keep_freed_memory()
    freed_memory.return_freed_memory()
    freed_memory.release_freed_memory()
