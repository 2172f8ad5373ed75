"""Reading made-up annotation files, and writing what was found in short."""

from __future__ import annotations

import io
import json
from collections.abc import Callable, Iterator
from typing import Any, BinaryIO

from transforms.records import AnnotatedImage, ReadContext, Reading, Rejection

Read = Callable[[BinaryIO, ReadContext], Iterator[Reading]]


def readings(read: Read, content: Any, file: str = "a.json") -> list[Reading]:
    """What a format's reader finds in a file: bytes, text, or a value to be written as JSON."""
    if not isinstance(content, str | bytes):
        content = json.dumps(content)
    data = content if isinstance(content, bytes) else content.encode()
    return list(read(io.BytesIO(data), ReadContext("photos", file)))


def images(read: Read, content: Any, file: str = "a.json") -> list[AnnotatedImage]:
    return [reading for reading in readings(read, content, file) if isinstance(reading, AnnotatedImage)]


def image(read: Read, content: Any, file: str = "a.json") -> AnnotatedImage:
    (found,) = images(read, content, file)
    return found


def reasons(read: Read, content: Any) -> list[str]:
    """What became of all, in order: "ok" for an object, "-REASON" for one dropped, "!REASON" for what was refused."""
    found: list[str] = []
    for reading in readings(read, content):
        if isinstance(reading, Rejection):
            found.append(f"!{reading.reason}")
        if isinstance(reading, AnnotatedImage):
            found += ["ok"] * len(reading.objects)
        if isinstance(reading, AnnotatedImage | Rejection):
            found += [f"-{problem.reason}" for problem in reading.problems]
    return found


def lines(*values: Any) -> str:
    """Values as lines of JSON."""
    return "\n".join(json.dumps(value, ensure_ascii=False) for value in values)
