"""What a JSON file is about, told from its first 64 KiB: the members that its formats are known by."""

from __future__ import annotations

import codecs
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Literal

_SPACE = re.compile(r"[ \t\n\r]*")
_decoder = json.JSONDecoder()


@dataclass(frozen=True, slots=True)
class Outline:
    """The outline of a JSON text, as far as it is there; values are told by their first character.

    Attributes:
      kind: "object" or "array" (both may be the first of several lines), or "" for anything else.
      members: of the object, or of the array's first element.
      inner: members of the first of these members that is an object, or an array that starts with one.
    """

    kind: Literal["object", "array", ""] = ""
    members: Mapping[str, str] = field(default_factory=dict)
    inner: Mapping[str, str] = field(default_factory=dict)

    def has(self, **kinds: str) -> bool:
        """Whether each named member is there and begins with one of the given characters."""
        return all(self.members.get(key, " ") in characters for key, characters in kinds.items())


@lru_cache(maxsize=64)  # each format asks about the same head
def outline(head: bytes) -> Outline:
    """The outline of a file that begins with these bytes, in whatever encoding, cut anywhere."""
    text = _decode(head)
    start = _after_space(text, 0)
    kind: Literal["object", "array", ""] = {"{": "object", "[": "array"}.get(text[start : start + 1], "")  # type: ignore[assignment]
    if kind == "array":
        start = _after_space(text, start + 1)
    members, inner_start = _members(text, start)
    inner = _members(text, inner_start)[0] if inner_start is not None else {}
    return Outline(kind, members, inner)


def _decode(head: bytes) -> str:
    if head[:2] in (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE):
        return head.decode("utf-16", errors="replace")
    # Also right for CP949: no second byte of its letters is a quote, a backslash or a brace.
    return head.removeprefix(codecs.BOM_UTF8).decode("utf-8", errors="replace")


def _after_space(text: str, start: int) -> int:
    return _SPACE.match(text, start).end()  # type: ignore[union-attr]  # it matches nothing, too


def _members(text: str, start: int) -> tuple[dict[str, str], int | None]:
    """Members of the object that begins at ``start``, and where the first of them begins that has members itself."""
    members: dict[str, str] = {}
    inner: int | None = None
    if text[start : start + 1] != "{":
        return members, inner
    while text[start : start + 1] in ("{", ","):
        start = _after_space(text, start + 1)
        if text[start : start + 1] != '"':
            break
        try:
            key, start = _decoder.raw_decode(text, start)
            start = _after_space(text, start)
            if text[start : start + 1] != ":":
                break
            start = _after_space(text, start + 1)
            members[key] = text[start : start + 1]
            if inner is None:
                inner = _first_object(text, start)
            start = _after_space(text, _decoder.raw_decode(text, start)[1])
        except (ValueError, RecursionError):  # cut, or no JSON
            break
    return members, inner


def _first_object(text: str, start: int) -> int | None:
    if text[start : start + 1] == "[":
        start = _after_space(text, start + 1)
    return start if text[start : start + 1] == "{" else None
