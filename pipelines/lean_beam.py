"""Beam for a local run: imported without the clients of services that such a run never calls through Beam.

Beam imports them if they are there, and goes without if not; they are a fifth of the start-up of every command. Paths
such as ``gs://`` are none of Beam's business here: ``transforms.storage`` reads and writes them by itself.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager

_NOT_CALLED = ("google.cloud.storage", "pymongo", "bson")


@contextmanager
def _absent(modules: tuple[str, ...]) -> Iterator[None]:
    """Within the block, modules that are not imported yet cannot be found."""
    hidden = [name for name in modules if name not in sys.modules]
    sys.modules.update(dict.fromkeys(hidden))  # type: ignore[arg-type]
    try:
        yield
    finally:
        for name in hidden:
            del sys.modules[name]


with _absent(_NOT_CALLED):
    import apache_beam  # noqa: F401
