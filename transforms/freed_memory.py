"""What the C library does with memory that a process frees: keep it for later, or give it back to the kernel.

All of it does nothing where the C library is not glibc.
"""

from __future__ import annotations

import ctypes
from typing import Any

# Of glibc's malloc.h.
_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD, _M_ARENA_MAX = -1, -3, -8
_LARGE = 1 << 30
_LARGEST_OF_OLD_GLIBC = 32 << 20
_SMALL = 64 << 10


def keep_freed_memory() -> None:
    """Lets this process keep the memory that one batch frees for the next one.

    By default large blocks go back to the kernel, which clears them page by page when the next batch asks for as many:
    a tenth of the time that a small model takes on a CPU. With one arena for all threads less memory is kept, too.
    Call it before the model is loaded.
    """
    set_option = _of_glibc("mallopt")
    if set_option is None:
        return
    set_option(_M_MMAP_THRESHOLD, _LARGE) or set_option(_M_MMAP_THRESHOLD, _LARGEST_OF_OLD_GLIBC)
    set_option(_M_TRIM_THRESHOLD, _LARGE)
    set_option(_M_ARENA_MAX, 1)


def return_freed_memory() -> None:
    """Lets this process give back at once what it frees: for one that passes on much and computes little.

    By default each of its threads frees into an arena of its own, where the others do not find it.
    Call it before there are threads.
    """
    set_option = _of_glibc("mallopt")
    if set_option is None:
        return
    set_option(_M_MMAP_THRESHOLD, _SMALL)
    set_option(_M_TRIM_THRESHOLD, _SMALL)
    set_option(_M_ARENA_MAX, 1)


def release_freed_memory() -> None:
    """Gives back what has been freed till now; it takes milliseconds."""
    trim = _of_glibc("malloc_trim")
    if trim is not None:
        trim(0)


def _of_glibc(function: str) -> Any:
    return getattr(ctypes.CDLL(None), function, None)
