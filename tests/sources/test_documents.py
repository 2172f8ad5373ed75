"""Documents that users write: what is refused, where, and what to do about it."""

from __future__ import annotations

import json

import pytest
import yaml

from transforms.sources.class_map import parse_class_document
from transforms.sources.documents import DocumentError, read_document

UNREADABLE = {
    "no text": (b"\xff\xfe\xff", "no text"),
    "broken YAML": (b"a: [1, 2", "neither YAML nor JSON"),
    "broken JSON": (b'{"a": ', "neither YAML nor JSON"),
    "YAML key twice": (b"a: 1\nb: 2\na: 3\n", "line 3: the key 'a' stands twice"),
    "JSON key twice": (b'{"a": 1, "a": 2}', "the key 'a' stands twice"),
    "YAML that makes objects": (b"!!python/object/apply:os.getcwd []", "neither YAML nor JSON"),
    "YAML without an end of depth": (b"[" * 5000, "neither YAML nor JSON"),
}


@pytest.mark.parametrize(("data", "message"), UNREADABLE.values(), ids=UNREADABLE.keys())
def test_unreadable(data: bytes, message: str) -> None:
    with pytest.raises(DocumentError, match=message):
        read_document(data)


def test_yaml_and_json_are_the_same() -> None:
    value = {"names": ["고양이", "dog"], "rename": {"kitty": "고양이"}}
    assert read_document(json.dumps(value).encode()) == value
    assert read_document(yaml.safe_dump(value, allow_unicode=True).encode("cp949")) == value


def test_class_map() -> None:
    found = parse_class_document(b"names: [person, vehicle]\nrename: {car: vehicle, truck: vehicle}\ndrop: [bird]\n")
    assert found.labels == {"person": 1, "vehicle": 2}
    assert found.changes.rename == {"car": "vehicle", "truck": "vehicle"}
    assert found.changes.drop == {"bird"}
    assert parse_class_document(b"names: {person: 7, vehicle: 2}").labels == {"person": 7, "vehicle": 2}
    assert parse_class_document(b"drop: [bird]").labels is None


BAD_CLASS_MAPS = {
    "a list": ("[a, b]", "the document is .*, it must be a mapping"),
    "unknown key": ("name: [a]", "has 'name', which is not known; known are names, rename, drop"),
    "names as text": ("names: cat", "names is 'cat', it must be a list or a mapping"),
    "no names": ("names: []", "names is .*, it must be a list that is not empty"),
    "YAML's own no": ("drop: [no]", r"drop\[0\] is False, it must be a text: put it in quotes"),
    "a number as a name": ("rename: {1: car}", "rename has the key 1: put it in quotes"),
    "background id": ("names: {a: 0}", r"names.a is 0, it must be from 1"),
    "id of a wrong type": ("names: {a: '1'}", "names.a is '1', it must be a whole number"),
    "same id": ("names: {a: 1, b: 1}", "names has 'b' or the id 1 twice"),
    "same name": ("names: [a, ' a']", "names has 'a' or the id 2 twice"),
    "renamed and dropped": ("rename: {a: b}\ndrop: [a]", "'a' is in both rename and drop"),
    "renamed to two": ("rename: {a: b, ' a': c}", "'a' is renamed twice"),
    "named and dropped": ("names: [a]\ndrop: [a]", "'a' is in names, yet it is renamed or dropped"),
}


@pytest.mark.parametrize(("text", "message"), BAD_CLASS_MAPS.values(), ids=BAD_CLASS_MAPS.keys())
def test_class_map_refused(text: str, message: str) -> None:
    with pytest.raises(DocumentError, match=message):
        parse_class_document(text.encode())
