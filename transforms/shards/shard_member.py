"""An image on its way into a shard."""

from __future__ import annotations

from dataclasses import dataclass

from transforms.records import AnnotatedImage


@dataclass(frozen=True, slots=True)
class ShardMember:
    """An image of a shard, and its key."""

    key: str
    image: AnnotatedImage
