"""A small file of each format, the ``SAMPLE`` of its test module: what holds for all formats is tested on these."""

from __future__ import annotations

import json
from importlib import import_module
from typing import NamedTuple

from transforms.annotations.format_names import MODULES


class Sample(NamedTuple):
    """A file of a format: its name and content."""

    format: str
    file: str
    data: bytes


def _sample(name: str, module: str) -> Sample:
    file, content = import_module(f"tests.annotations.test_{module}").SAMPLE
    if not isinstance(content, str | bytes):
        content = json.dumps(content, ensure_ascii=False)
    return Sample(name, file, content if isinstance(content, bytes) else content.encode())


SAMPLES = [_sample(name, module) for name, module in MODULES.items()]
