"""Small YAML and JSON documents that users write: read strictly, and checked against a schema."""

from __future__ import annotations

import json
import re
from collections.abc import Hashable, Mapping, Sequence
from typing import Any

import yaml

from transforms.annotations.fields import quote
from transforms.annotations.text_encoding import decode_text

_TYPES: dict[str, type | tuple[type, ...]] = {
    "object": dict,
    "array": list,
    "string": str,
    "integer": int,
    "number": (int, float),
}
_ARTICLES = {"object": "a mapping", "array": "a list", "string": "a text", "integer": "a whole number"}


class DocumentError(ValueError):
    """A document that cannot be read or does not fit its schema; the message holds place, value and remedy."""


class _StrictLoader(yaml.SafeLoader):
    """Refuses a key that stands twice, of which plain YAML loaders silently keep the last."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:
        keys = [self.construct_object(key, deep=True) for key, _ in node.value]
        for index, key in enumerate(keys):
            if key in keys[:index]:
                line = node.value[index][0].start_mark.line + 1
                raise DocumentError(f"line {line}: the key {quote(key)} stands twice; keep one of them")
        values: dict[Hashable, Any] = super().construct_mapping(node, deep)
        return values


def read_document(data: bytes) -> Any:
    """Reads YAML, or JSON where the text begins with "{".

    Raises:
      DocumentError: no text, no such document, or a key that stands twice.
    """
    try:
        text, _ = decode_text(data)
    except UnicodeDecodeError:
        raise DocumentError("it is no text") from None
    try:
        if text.lstrip().startswith("{"):
            return json.loads(text, object_pairs_hook=_object)
        return yaml.load(text, _StrictLoader)  # a SafeLoader: it makes plain values only
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        if isinstance(error, DocumentError):
            raise
        raise DocumentError(f"it is neither YAML nor JSON: {' '.join(str(error).split())}") from None


def _object(pairs: Sequence[tuple[str, Any]]) -> dict[str, Any]:
    values = dict(pairs)
    if len(values) < len(pairs):
        twice = next(key for index, (key, _) in enumerate(pairs) if key in dict(pairs[:index]))
        raise DocumentError(f"the key {quote(twice)} stands twice; keep one of them")
    return values


def check_document(value: Any, schema: Mapping[str, Any], place: str = "") -> None:
    """Checks a value against a JSON Schema of these words: type, enum, pattern, minimum, exclusiveMinimum, minItems,
    items, properties, required, additionalProperties, propertyNames, anyOf, description.

    Raises:
      DocumentError: at the first part that does not fit. The schema's own description is the remedy.
    """
    if "anyOf" in schema:
        fitting = [item for item in schema["anyOf"] if _is_of(value, item["type"])]
        if not fitting:
            raise _unfit(value, " or ".join(_ARTICLES[item["type"]] for item in schema["anyOf"]), schema, place)
        check_document(value, {"description": schema.get("description", ""), **fitting[0]}, place)
        return
    kind = schema["type"]
    if not _is_of(value, kind):
        raise _unfit(value, _ARTICLES.get(kind, f"a {kind}"), schema, place)
    if "enum" in schema and value not in schema["enum"]:
        raise _unfit(value, "one of " + ", ".join(map(str, schema["enum"])), schema, place)
    if "pattern" in schema and not re.search(schema["pattern"], value):
        raise _unfit(value, "of that form", schema, place)
    if value == schema.get("exclusiveMinimum") or (kind in ("integer", "number") and value < _least(schema)):
        raise _unfit(value, f"from {_least(schema)}", schema, place)
    if kind == "array":
        if len(value) < schema.get("minItems", 0):
            raise _unfit(value, "a list that is not empty", schema, place)
        for index, item in enumerate(value):
            check_document(item, schema["items"], f"{place}[{index}]")
    elif kind == "object":
        _check_members(value, schema, place)


def _check_members(value: Mapping[Any, Any], schema: Mapping[str, Any], place: str) -> None:
    properties, others = schema.get("properties", {}), schema.get("additionalProperties", {"type": "object"})
    for key in value:
        if not isinstance(key, str):
            raise DocumentError(
                f"{place or 'the document'} has the key {quote(key)}: put it in quotes, it must be text"
            )
    for key in schema.get("required", ()):
        if key not in value:
            remedy = properties[key].get("description", "")
            raise DocumentError(f"{place or 'the document'} has no {key}: add it{f' ({remedy})' if remedy else ''}")
    for key, item in value.items():
        if key not in properties and others is False:
            known = ", ".join(properties)
            raise DocumentError(f"{place or 'the document'} has {quote(key)}, which is not known; known are {known}")
        check_document(item, properties.get(key, others), f"{place}.{key}" if place else key)


def _is_of(value: Any, kind: str) -> bool:
    return isinstance(value, _TYPES[kind]) and not isinstance(value, bool)


def _least(schema: Mapping[str, Any]) -> float:
    return schema.get("minimum", schema.get("exclusiveMinimum", float("-inf")))  # type: ignore[no-any-return]


def _unfit(value: Any, wanted: str, schema: Mapping[str, Any], place: str) -> DocumentError:
    quotes = ": put it in quotes" if wanted == "a text" and isinstance(value, bool | int | float) else ""
    remedy = schema.get("description", "")
    message = f"{place or 'the document'} is {quote(value)}, it must be {wanted}{quotes}"
    return DocumentError(message + (f" ({remedy})" if remedy else ""))
