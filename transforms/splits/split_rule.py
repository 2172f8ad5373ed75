"""The rule that gives each image its split: by its source, or by the hash of what it is split by."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Literal, cast

from transforms.annotations.packs import PackedImage
from transforms.splits.split_fractions import SplitFractions

KeyKind = Literal["image", "group", "field", "content"]
_KINDS_WITH_ARGUMENT = ("group", "field")
_FIRST = ("train", "val", "test")


@dataclass(frozen=True, slots=True)
class SplitKey:
    """What images are split by; images of one key are always in one split.

    Attributes:
      kind: "image": the image's name; "group": what a regular expression finds in the name; "field": what the source
        says of the image under a name (see ``AnnotatedImage.fields``); "content": the picture, see ``content_groups``.
      argument: the regular expression, or the field's name.
    """

    kind: KeyKind = "image"
    argument: str = ""

    @classmethod
    def parse(cls, text: str) -> SplitKey:
        """Parses "image", "group:REGEX", "field:NAME" or "content".

        Raises:
          ValueError: none of these, or no regular expression.
        """
        kind, separator, argument = text.partition(":")
        if kind not in ("image", "content", *_KINDS_WITH_ARGUMENT) or bool(argument) != (kind in _KINDS_WITH_ARGUMENT):
            raise ValueError(f"{text!r} is not image, group:REGEX, field:NAME or content")
        if kind == "group":
            try:
                re.compile(argument)
            except re.error as error:
                raise ValueError(f"{argument!r} is no regular expression: {error}") from None
        del separator
        return cls(cast(KeyKind, kind), argument)

    @property
    def has_argument(self) -> bool:
        return self.kind in _KINDS_WITH_ARGUMENT

    def find(self, name: str, fields: Iterable[tuple[str, str]]) -> str | None:
        """The key of an image by its name or fields; None if it has none, and is then a group of its own.

        Of a regular expression with groups, what they match; of one without, what it matches as a whole.
        """
        if self.kind == "field":
            return next((value for key, value in fields if key == self.argument), None)
        match = _compiled(self.argument).search(name)
        if match is None:
            return None
        return "\0".join(text or "" for text in match.groups()) if match.re.groups else match[0]


@lru_cache(maxsize=8)
def _compiled(pattern: str) -> re.Pattern[str]:
    return re.compile(pattern)


@dataclass(frozen=True, slots=True)
class SplitRule:
    """How images get their splits.

    Attributes:
      fractions: the splits and shares of what is split by hash; None if that is nothing.
      key: what is hashed.
      takes_source: splits that the sources give are taken, before any hash.
      fixed: for a source's name, the split that all its images go to, before anything else.
      is_mixed: there are several sources, whose names come first in the keys of images.
      is_balanced: shares are corrected class by class, see ``balance``.
      classes: that the dataset has; None for all that objects have.
    """

    fractions: SplitFractions | None
    key: SplitKey = SplitKey()
    takes_source: bool = False
    fixed: Mapping[str, str] = field(default_factory=dict)
    is_mixed: bool = False
    is_balanced: bool = False
    classes: frozenset[str] | None = None

    @property
    def is_global(self) -> bool:
        """Whether the split of an image depends on other images."""
        return self.fractions is not None and (self.is_balanced or self.key.kind == "content")

    @property
    def names(self) -> tuple[str, ...]:
        """The splits that are known before any image is read."""
        given = self.fractions.names if self.fractions else ()
        return tuple(dict.fromkeys((*given, *in_order(self.fixed.values()))))

    def given_split(self, image: PackedImage) -> str:
        """The split that the user or the source gives an image, or ""."""
        return self.fixed.get(image.source, "") or (image.split if self.takes_source else "")

    def split_key(self, image: PackedImage) -> str:
        """What is hashed for an image. The source has no part in it: adding a source moves no image of another."""
        name = image.key.partition("/")[2] if self.is_mixed else image.key
        if self.key.kind in _KINDS_WITH_ARGUMENT:
            found = self.key.find(name, image.split_fields)
            # Apart from names, so that a group and an image of the same text do not meet.
            return name if found is None else f"{self.key.kind}\0{found}"
        return name

    def is_ungrouped(self, image: PackedImage) -> bool:
        """Whether the key of a group or field finds nothing in an image."""
        name = image.key.partition("/")[2] if self.is_mixed else image.key
        return self.key.find(name, image.split_fields) is None

    def split_of(self, image: PackedImage) -> str:
        """The split of an image by itself; "" if it is given none and nothing is split by hash."""
        if (given := self.given_split(image)) or self.fractions is None:
            return given
        return self.fractions.split_of(self.split_key(image))


def in_order(names: Iterable[str]) -> list[str]:
    """Names of splits, each once: train, val, test, then others by the alphabet."""
    unique = set(names)
    return [name for name in _FIRST if name in unique] + sorted(unique - {*_FIRST})
