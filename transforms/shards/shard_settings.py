"""What a shard's bytes depend on besides its members."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from transforms.examples.class_ids import ClassIds
from transforms.images.check_image import ImagePolicy
from transforms.storage.remote_claim import Claim


@dataclass(frozen=True, slots=True)
class ShardSettings:
    """What a shard's bytes depend on besides its members.

    Attributes:
      folder: of the dataset, existing.
      name: of the dataset.
      fingerprint: of all inputs and settings.
      image_roots: for each source's name, the folder of its pictures; "" where records hold them.
      image_policy: how pictures are checked.
      class_ids: names and their ids; objects of other classes are dropped.
      ground_truth_splits: splits that also become COCO JSON.
      annotation_roots: for each source's name, the folders that its mask files are below.
      with_masks: every object gets a mask.
      with_perceptual_hashes: of the pictures, to look for near duplicates.
      claim: on a remote folder; a shard is only written while no other run has it.
    """

    folder: str
    name: str
    fingerprint: str
    image_roots: dict[str, str]
    image_policy: ImagePolicy
    class_ids: ClassIds
    ground_truth_splits: frozenset[str] = frozenset()
    annotation_roots: Mapping[str, Sequence[str]] = field(default_factory=dict)
    with_masks: bool = False
    with_perceptual_hashes: bool = False
    claim: Claim | None = None

    @property
    def is_mixed(self) -> bool:
        """Whether there are several sources; records then say which is theirs."""
        return len(self.image_roots) > 1
