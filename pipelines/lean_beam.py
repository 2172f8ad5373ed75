"""Beam for a local run: imported without what such a run never calls, which is a third of the start-up of each command.

Beam imports some clients of services if they are there, and goes without if not: these are not to be found. Paths such
as ``gs://`` are none of Beam's business here: ``transforms.storage`` reads and writes them by itself. Others it imports
in any case, for single functions: these are imported when one of them is called, which is hardly ever.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib import import_module
from types import ModuleType
from typing import Any

_NOT_CALLED = (
    "apache_beam.io.gcp.bigquery",
    "apache_beam.io.gcp.gcsfilesystem",
    "bson",
    "google.cloud.storage",
    "pymongo",
)
_HARDLY_CALLED = ("cryptography.fernet", "fastavro", "fastavro.read", "fastavro.write", "httplib2", "yaml")


class _Postponed(ModuleType):
    """Stands for a module of functions and classes to call: the first call imports it."""

    def __getattr__(self, name: str) -> Callable[..., Any]:
        if name.startswith("__"):  # which Python itself looks for
            raise AttributeError(name)

        def call(*arguments: Any, **named: Any) -> Any:
            _forget(self)
            return getattr(import_module(self.__name__), name)(*arguments, **named)

        return call


class _HintRefused(Exception):
    """``BeartypeDoorException`` of the module that stands for beartype's."""


def _is_subhint(sub: Any, base: Any) -> bool:
    """Beartype's function of that name, which is not needed for plain classes: all that a local run asks about."""
    if type(sub) is type(base) is type:
        return issubclass(sub, base)
    from beartype import door, roar

    try:
        return door.is_subhint(sub, base)
    except roar.BeartypeDoorException as error:
        raise _HintRefused(error) from error


def _stand_ins() -> list[ModuleType]:
    door, roar = ModuleType("beartype.door"), ModuleType("beartype.roar")
    door.is_subhint, roar.BeartypeDoorException = _is_subhint, _HintRefused  # type: ignore[attr-defined]
    return [door, roar, *map(_Postponed, _HARDLY_CALLED)]


def _forget(module: ModuleType) -> None:
    if sys.modules.get(module.__name__) is module:
        del sys.modules[module.__name__]


@contextmanager
def _absent(names: tuple[str, ...]) -> Iterator[None]:
    """Within the block, modules that are not imported yet cannot be found."""
    hidden = [name for name in names if name not in sys.modules]
    sys.modules.update(dict.fromkeys(hidden))  # type: ignore[arg-type]
    try:
        yield
    finally:
        for name in hidden:
            del sys.modules[name]


@contextmanager
def _replaced(stand_ins: list[ModuleType]) -> Iterator[None]:
    """Within the block, modules that are not imported yet are these."""
    for module in stand_ins:
        sys.modules.setdefault(module.__name__, module)
    try:
        yield
    finally:
        for module in stand_ins:
            _forget(module)


with _absent(_NOT_CALLED), _replaced(_stand_ins()):
    import apache_beam  # noqa: F401

from pipelines import quick_beam  # noqa: E402 - it imports Beam

quick_beam.remember_arguments()
quick_beam.end_bundles_promptly()
