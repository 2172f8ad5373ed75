"""Options and inspected methods are as without these short cuts, and Beam takes them."""

import copy
import pickle
from typing import Any

import apache_beam as beam
import pytest
from apache_beam.options.pipeline_options import DirectOptions, PipelineOptions, StandardOptions
from apache_beam.runners.worker import bundle_processor, statesampler
from apache_beam.utils.counters import CounterFactory

from pipelines.quick_beam import QuickOptions, _remembered, end_bundles_promptly

FLAGS = ["--direct_num_workers=3", "--runner=FlinkRunner", "--experiments=a", "--experiments=b"]


def test_options_are_those_of_beam() -> None:
    assert QuickOptions(FLAGS).get_all_options() == PipelineOptions(FLAGS).get_all_options()
    assert QuickOptions(FLAGS).view_as(DirectOptions).direct_num_workers == 3


def test_views_share_their_values_and_copies_do_not() -> None:
    options = QuickOptions(FLAGS)
    before = options.view_as(DirectOptions)
    copies = [copy.deepcopy(options), pickle.loads(pickle.dumps(options))]
    options.view_as(StandardOptions).view_as(DirectOptions).direct_num_workers = 5
    assert before.direct_num_workers == options.view_as(DirectOptions).direct_num_workers == 5
    assert options.get_all_options()["direct_num_workers"] == 5
    assert [each.view_as(DirectOptions).direct_num_workers for each in copies] == [3, 3]


class _DoFn(beam.DoFn):
    def process(self, element: Any, window: Any = beam.DoFn.WindowParam, *, other: int = 0) -> None: ...


class _Other(_DoFn):
    def process(self, element: Any, more: int = 5) -> None: ...  # type: ignore[override]


def test_arguments_are_looked_at_once_for_each_method() -> None:
    looked = []
    original = beam.transforms.core.get_function_args_defaults

    def look(f: Any) -> Any:
        looked.append(f)
        return original(f)

    remembered = _remembered(look)
    methods = [_DoFn().process, _Other().process, _DoFn().process, _Other().setup, _DoFn().setup]
    for method in methods:
        names, _ = remembered(method)
        assert remembered(method) == original(method)
        names.append("changed by the caller")
    assert len(looked) == 3
    assert [remembered(f) for f in (len, _DoFn.process, lambda x, y=1: x)] == [
        original(f) for f in (len, _DoFn.process, lambda x, y=1: x)
    ]


def test_beam_makes_samplers_that_look_often(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(statesampler, "StateSampler", statesampler.StateSampler)  # to be put back
    end_bundles_promptly()
    sampler = bundle_processor.statesampler.StateSampler("step", CounterFactory())
    assert sampler.sampling_period_ms == 10
    sampler.start()
    sampler.stop_if_still_running()
    assert sampler.finished
