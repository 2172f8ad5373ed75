"""A source: annotations of one kind and the images that they are for; and the file that lists several."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass, field
from functools import cache
from importlib import resources
from typing import Any

from transforms import storage
from transforms.annotations.fields import quote
from transforms.sources.class_changes import ClassChanges
from transforms.sources.documents import DocumentError, check_document, read_document

SCHEMA_FILE = "sources.schema.json"


@dataclass(frozen=True, slots=True)
class Source:
    """A source as the user describes it.

    Attributes:
      name: in the ledger, and before the names of its images where there are several sources.
      annotations: files, folders or glob patterns.
      images: folder of the images; None to look for it beside the annotations.
      format: of the annotations, or "auto".
      voc_origin: 0 if VOC coordinates are edges, 1 if they are 1-based pixel indices.
      split: that all its images go to, or "".
      classes: renamed and dropped, by the source's own names.
      max_images: so many are taken at most; those with the smallest hashes.
      weight: factor of each object's weight; None leaves weights as they are.
    """

    name: str
    annotations: tuple[str, ...]
    images: str | None = None
    format: str = "auto"
    voc_origin: int = 0
    split: str = ""
    classes: ClassChanges = field(default_factory=ClassChanges)
    max_images: int | None = None
    weight: float | None = None

    def options(self) -> dict[str, Any]:
        """What the user asks of this source besides where it lies, as plain values; only what is asked."""
        options = {
            "voc_origin": self.voc_origin,
            "split": self.split,
            "class_map": self.classes.to_plain() if self.classes else None,
            "max_images": self.max_images,
            "weight": self.weight,
        }
        return {name: value for name, value in options.items() if value}


def read_sources(path: str, default_format: str = "auto", default_voc_origin: int = 0) -> list[Source]:
    """Reads a file of sources: YAML or JSON by ``sources.schema.json``.

    Args:
      path: of the file; relative paths in it start from its folder.
      default_format, default_voc_origin: of sources that do not say.

    Raises:
      DocumentError: the file is no such document; the message names the place and the remedy.
      OSError: it cannot be read.
    """
    document = read_document(storage.read_bytes(path))
    check_document(document, sources_schema())
    folder = os.path.dirname(path)
    sources: list[Source] = []
    for index, entry in enumerate(document["sources"]):
        defaults = {"format": default_format, "voc_origin": default_voc_origin}
        source = _source({**defaults, **entry}, folder, f"sources[{index}]")
        if any(source.name == other.name for other in sources):
            raise DocumentError(f"sources[{index}].name is {source.name}, which another source has; give each its own")
        sources.append(source)
    return sources


def _source(entry: dict[str, Any], folder: str, place: str) -> Source:
    annotations, class_map = entry["annotations"], entry.get("class_map", {})
    patterns = [annotations] if isinstance(annotations, str) else annotations
    try:
        classes = ClassChanges.of(class_map.get("rename", {}), class_map.get("drop", ()))
    except ValueError as error:
        raise DocumentError(f"{place}.class_map: {error}") from None
    weight = entry.get("weight")
    if weight is not None and not weight < float("inf"):
        raise DocumentError(f"{place}.weight is {quote(weight)}, it must be a finite number")
    return Source(
        name=entry["name"],
        annotations=tuple(storage.join(folder, pattern) for pattern in patterns),
        images=storage.join(folder, entry["images"]) if "images" in entry else None,
        format=entry["format"],
        voc_origin=entry["voc_origin"],
        split=entry.get("split", ""),
        classes=classes,
        max_images=entry.get("max_images"),
        weight=weight,
    )


@cache
def sources_schema() -> dict[str, Any]:
    """The JSON Schema of a file of sources."""
    text = resources.files(__package__).joinpath(SCHEMA_FILE).read_text("utf-8")
    schema: dict[str, Any] = json.loads(text)
    return schema
