"""Names of Open Images' classes, and which class is a kind of which.

Formats: ``class-descriptions*.csv`` – id and name, with a header from version 7 on; ``*hierarchy*.json`` – a tree of
``LabelName`` and ``Subcategory``, whose root ("Entity") is no class
(https://storage.googleapis.com/openimages/web/visualizer).
"""

from __future__ import annotations

import csv
import json
import posixpath
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from transforms.annotations.line_files import FileRefused
from transforms.annotations.refusals import Refused
from transforms.annotations.text_encoding import decode_text
from transforms.ledger.reasons import Reason
from transforms.records import Companions

_MAX_DEPTH = 100


@dataclass(frozen=True, slots=True)
class OpenImagesClasses:
    """The classes.

    Attributes:
      names: by id; empty if there is no list of them, then ids are names.
      parents: ids of the next wider classes, by id.
    """

    names: Mapping[str, str] = field(default_factory=dict)
    parents: Mapping[str, frozenset[str]] = field(default_factory=dict)

    def name_of(self, class_id: str) -> str:
        """The name of a class.

        Raises:
          Refused: there are names, and none of this class.
        """
        if not self.names:
            return class_id
        if class_id not in self.names:
            raise Refused(Reason.UNKNOWN_CLASS, f"{class_id!r} is not among the class descriptions")
        return self.names[class_id]

    def ancestors(self, class_id: str) -> list[str]:
        """Names of all wider classes, sorted."""
        found: set[str] = set()
        to_do = [class_id]
        while to_do:
            for parent in self.parents.get(to_do.pop(), ()):
                if parent not in found:
                    found.add(parent)
                    to_do.append(parent)
        return self._sorted_names(found)

    def descendants(self, class_id: str) -> list[str]:
        """Names of all narrower classes, sorted."""
        name = self.name_of(class_id)
        return self._sorted_names({other for other in self.parents if name in self.ancestors(other)})

    def _sorted_names(self, class_ids: set[str]) -> list[str]:
        return sorted(self.names.get(class_id, class_id) for class_id in class_ids)


def find_classes(companions: Companions) -> OpenImagesClasses:
    """Reads the nearest list of names and the nearest hierarchy.

    Raises:
      FileRefused: one of them cannot be read.
    """
    names: dict[str, str] = {}
    parents: dict[str, frozenset[str]] = {}
    for folder in companions.upwards():
        for file in companions.names(folder):
            lower = file.lower()
            if "class-descriptions" in lower and lower.endswith(".csv") and not names:
                rows = csv.reader(_text(companions, folder, file).splitlines())
                names = {row[0].strip(): row[1].strip() for row in rows if len(row) > 1 and row[0] != "LabelName"}
            elif "hierarchy" in lower and lower.endswith(".json") and not parents:
                parents = _parents(_text(companions, folder, file), file)
    return OpenImagesClasses(names, parents)


def _text(companions: Companions, folder: str, file: str) -> str:
    try:
        return decode_text(companions.read(posixpath.join(folder, file)) or b"")[0]
    except UnicodeError as error:
        raise FileRefused(Reason.ANNOTATION_UNREADABLE, f"{file} is no readable text: {error}") from None


def _parents(text: str, file: str) -> dict[str, frozenset[str]]:
    parents: dict[str, set[str]] = {}

    def add(node: Any, parent: str, depth: int) -> None:
        if not isinstance(node, dict) or not isinstance(node.get("LabelName"), str) or depth > _MAX_DEPTH:
            raise ValueError(f"{node!r:.80} is no class with a LabelName")
        if parent:
            parents.setdefault(node["LabelName"], set()).add(parent)
        children = node.get("Subcategory") or []
        for child in children if isinstance(children, list) else [children]:
            add(child, node["LabelName"] if depth else "", depth + 1)

    try:
        add(json.loads(text), "", 0)
    except (ValueError, RecursionError) as error:
        raise FileRefused(Reason.ANNOTATION_UNREADABLE, f"{file} is no hierarchy of classes: {error}") from None
    return {child: frozenset(wider) for child, wider in parents.items()}
