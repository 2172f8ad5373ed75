"""A source: annotations of one kind and the images that they are for."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Source:
    """A source as the user describes it.

    Attributes:
      name: in the ledger, and before the names of its images where there are several sources.
      annotations: files, folders or glob patterns.
      images: folder of the images; None to look for it beside the annotations.
      format: of the annotations, or "auto".
      voc_origin: 0 if VOC coordinates are edges, 1 if they are 1-based pixel indices.
    """

    name: str
    annotations: tuple[str, ...]
    images: str | None = None
    format: str = "auto"
    voc_origin: int = 0
