"""Descriptions of datasets in YAML, and classes that are known by their numbers: what YOLO and image folders share."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import yaml

from transforms.annotations.fields import is_text, quote
from transforms.annotations.text_encoding import LAST_RESORT, decode_text
from transforms.ledger.reasons import Reason
from transforms.records import DeclaredClasses

MAX_CLASSES = 100_000


class DescriptionError(ValueError):
    """A dataset's description that cannot be read; the message holds its name and what is wrong."""


def description_text(data: bytes, name: str) -> tuple[str, tuple[str, ...]]:
    """The text of a description, and the repairs that its encoding took.

    Raises:
      DescriptionError: no text.
    """
    try:
        text, encoding = decode_text(data)
    except UnicodeError as error:
        raise DescriptionError(f"{name} is no readable text: {error}") from None
    return text, (Reason.ENCODING_CP949,) if encoding == LAST_RESORT else ()


def load_description(text: str, name: str) -> dict[str, Any]:
    """The mapping that a YAML text holds.

    Raises:
      DescriptionError: no such text.
    """
    try:
        content = yaml.safe_load(text)
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise DescriptionError(f"{name} is no readable YAML: {quote(str(error))}") from None
    if not isinstance(content, dict):
        raise DescriptionError(f"{name} is no mapping")
    return content


def numbered_names(value: Any, what: str) -> list[str]:
    """Names by their numbers from 0, of a list, or of a mapping of numbers to names with "" for numbers left out.

    Raises:
      DescriptionError: neither.
    """
    if isinstance(value, dict) and all(type(key) is int and 0 <= key < MAX_CLASSES for key in value):
        value = [value.get(number, "") for number in range(max(value, default=-1) + 1)]
    if not isinstance(value, list) or not all(isinstance(item, str | int | float) for item in value):
        raise DescriptionError(f"{what} are {quote(value)}, not a list of names")
    return [str(item) for item in value]


def declared_classes(names: Mapping[int, str], keypoints: Sequence[str] = ()) -> DeclaredClasses:
    """Classes numbered from 0, declared from 1; of numbers with one name the first counts."""
    ids: dict[str, int] = {}
    for number, name in sorted(names.items()):
        if name and is_text(name):
            ids.setdefault(name, number + 1)
    return DeclaredClasses(tuple(ids.items()), tuple((name, tuple(keypoints)) for name in ids) if keypoints else ())
