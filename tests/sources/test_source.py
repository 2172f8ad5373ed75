"""The file of sources."""

from __future__ import annotations

from pathlib import Path

import pytest

from transforms.sources.class_changes import ClassChanges
from transforms.sources.documents import DocumentError
from transforms.sources.source import Source, read_sources

EVERYTHING = """
sources:
  - name: roads
    annotations: [a/train.json, a/val.json]
    images: a/images
    format: coco
    split: train
    class_map: {rename: {car: vehicle, truck: vehicle}, drop: [bird]}
    max_images: 100
    weight: 2
  - name: rooms
    annotations: /data/voc/*.xml
    voc_origin: 1
"""


def test_everything_is_read(tmp_path: Path) -> None:
    path = tmp_path / "mix.yaml"
    path.write_text(EVERYTHING)
    assert read_sources(str(path), default_format="voc") == [
        Source(
            "roads",
            (f"{tmp_path}/a/train.json", f"{tmp_path}/a/val.json"),
            f"{tmp_path}/a/images",
            "coco",
            0,
            "train",
            ClassChanges({"car": "vehicle", "truck": "vehicle"}, frozenset({"bird"})),
            100,
            2,
        ),
        Source("rooms", ("/data/voc/*.xml",), None, "voc", 1),
    ]


ONE = "sources: [{name: a, annotations: x.json, %s}]"
REFUSED = {
    "empty": ("", "the document is None, it must be a mapping"),
    "a list": ("[]", "it must be a mapping .a mapping with the one key sources."),
    "no sources": ("{}", "the document has no sources: add it"),
    "sources empty": ("sources: []", "sources is .*, it must be a list that is not empty"),
    "source a text": ("sources: [a.json]", r"sources\[0\] is 'a.json', it must be a mapping"),
    "no name": ("sources: [{annotations: x}]", r"sources\[0\] has no name: add it"),
    "no annotations": ("sources: [{name: x}]", r"sources\[0\] has no annotations: add it"),
    "name of a path": ("sources: [{name: a/b, annotations: x}]", r"sources\[0\].name is 'a/b'.*letters, digits"),
    "name twice": (
        "sources: [{name: a, annotations: x}, {name: a, annotations: y}]",
        r"sources\[1\].name is a, which another source has",
    ),
    "misspelt key": (ONE % "image: y", r"sources\[0\] has 'image', which is not known; known are name, annotations"),
    "annotations empty": ("sources: [{name: a, annotations: ''}]", r"sources\[0\].annotations is ''"),
    "annotations a number": ("sources: [{name: a, annotations: 3}]", "it must be a text or a list .files, folders"),
    "annotation a number": ("sources: [{name: a, annotations: [3]}]", r"annotations\[0\] is 3, it must be a text"),
    "origin": (ONE % "voc_origin: 2", r"sources\[0\].voc_origin is 2, it must be one of 0, 1"),
    "origin a flag": (ONE % "voc_origin: true", "voc_origin is True, it must be a whole number"),
    "split": (ONE % "split: 2017-val", r"sources\[0\].split is '2017-val', it must be of that form"),
    "no images wanted": (ONE % "max_images: 0", r"sources\[0\].max_images is 0, it must be from 1"),
    "weight of nothing": (ONE % "weight: 0", r"sources\[0\].weight is 0, it must be from 0"),
    "weight without end": (ONE % "weight: .inf", r"sources\[0\].weight is inf, it must be a finite number"),
    "weight that is none": (ONE % "weight: .nan", r"sources\[0\].weight is nan, it must be a finite number"),
    "class map": (ONE % "class_map: {names: [a]}", r"sources\[0\].class_map has 'names', which is not known"),
    "classes of both": (
        ONE % "class_map: {rename: {a: b}, drop: [a]}",
        r"sources\[0\].class_map: class 'a' is in both",
    ),
}


@pytest.mark.parametrize(("text", "message"), REFUSED.values(), ids=REFUSED.keys())
def test_refused_with_place_and_remedy(text: str, message: str, tmp_path: Path) -> None:
    path = tmp_path / "mix.yaml"
    path.write_text(text)
    with pytest.raises(DocumentError, match=message):
        read_sources(str(path))
