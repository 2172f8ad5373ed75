"""Beam's work that is done over and over while it builds a graph and sets up its steps, done once in a local run."""

from __future__ import annotations

from collections.abc import Callable
from types import FunctionType, MethodType
from typing import Any, TypeVar, cast

from apache_beam.options.pipeline_options import PipelineOptions
from apache_beam.transforms import core

_View = TypeVar("_View", bound=PipelineOptions)
_Arguments = tuple[list[str], list[Any]]


class QuickOptions(PipelineOptions):
    """Options that parse the command line once for each class of options, not whenever one of them is asked for."""

    def view_as(self, cls: type[_View]) -> _View:
        views = self.__dict__.setdefault("_views", {})  # Beam refuses attributes that are no options
        if cls not in views:
            views[cls] = super().view_as(cls)  # which holds no values of its own: all views share those of the options
        return cast(_View, views[cls])


def remember_arguments() -> None:
    """Lets Beam look at the arguments of a method once, not for each object that has it; call it once."""
    core.get_function_args_defaults = _remembered(core.get_function_args_defaults)


def _remembered(look: Callable[[Any], _Arguments]) -> Callable[[Any], _Arguments]:
    found: dict[FunctionType, _Arguments] = {}

    def get_function_args_defaults(f: Any) -> _Arguments:
        if not (isinstance(f, MethodType) and isinstance(f.__func__, FunctionType)):
            return look(f)
        if f.__func__ not in found:
            found[f.__func__] = look(f)
        names, defaults = found[f.__func__]
        return [*names], [*defaults]

    return get_function_args_defaults
