"""The class map of a dataset as a YAML or JSON document: which classes it has, and what becomes of others' names."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from transforms.annotations.fields import clean_class_name, quote
from transforms.sources.class_changes import ClassChanges
from transforms.sources.documents import DocumentError, check_document, read_document

SUFFIXES = (".yaml", ".yml", ".json")
_NAME = {"type": "string", "pattern": r"\S", "description": "a class name"}
_SCHEMA: dict[str, Any] = {
    "type": "object",
    "description": "a mapping with names, rename and drop, or some of them",
    "additionalProperties": False,
    "properties": {
        "names": {
            "description": "a list of class names, whose ids count from 1, or a mapping of names to ids",
            "anyOf": [
                {"type": "array", "minItems": 1, "items": _NAME},
                {"type": "object", "additionalProperties": {"type": "integer", "minimum": 1, "description": "an id"}},
            ],
        },
        "rename": {"type": "object", "description": "old name: new name", "additionalProperties": _NAME},
        "drop": {"type": "array", "description": "a list of class names whose boxes are dropped", "items": _NAME},
    },
}


@dataclass(frozen=True, slots=True)
class ClassMap:
    """The classes of a dataset.

    Attributes:
      labels: names and their ids; boxes of other classes are dropped. None: all classes, numbered by the annotations.
      changes: made to the names before that.
    """

    labels: dict[str, int] | None = None
    changes: ClassChanges = field(default_factory=ClassChanges)


def parse_class_document(data: bytes) -> ClassMap:
    """Reads a class map from YAML or JSON.

    Raises:
      DocumentError: it is none; the message names the place and the remedy.
    """
    document = read_document(data)
    check_document(document, _SCHEMA)
    try:
        changes = ClassChanges.of(document.get("rename", {}), document.get("drop", ()))
    except ValueError as error:
        raise DocumentError(str(error)) from None
    if "names" not in document:
        return ClassMap(None, changes)
    names = document["names"]
    pairs = list(names.items()) if isinstance(names, dict) else [(name, i) for i, name in enumerate(names, start=1)]
    labels: dict[str, int] = {}
    for text, class_id in pairs:
        name = clean_class_name(text)
        if name in labels or class_id in labels.values():
            raise DocumentError(f"names has {quote(name)} or the id {class_id} twice; keep one of them")
        labels[name] = class_id
    if gone := sorted({*changes.rename, *changes.drop} & labels.keys()):
        raise DocumentError(f"class {quote(gone[0])} is in names, yet it is renamed or dropped; keep it in one of them")
    return ClassMap(labels, changes)
