"""Images of a shard on their way to records: unpacked, their files read and checked. Runs in threads."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from transforms.annotations.packs import PackedImage
from transforms.examples.existing_record import ExistingRecord
from transforms.images.check_image import CheckedImage, ImagePolicy, check_image
from transforms.images.image_store import ImageRefused, StoredImage
from transforms.images.perceptual_hash import perceptual_hash
from transforms.ledger.refusal import Refusal
from transforms.masks.object_masks import MaskFiles
from transforms.records import AnnotatedImage
from transforms.shards.earlier_shard import EarlierShard, KeptImage
from transforms.shards.image_inputs import files_digest
from transforms.shards.input_files import InputFiles


class LoadedImage(NamedTuple):
    """A picture that will be a record.

    Attributes:
      stored: as read.
      checked: as it will be written.
      sha256: of the written bytes, hex.
      mask_files: content of the files of its masks and maps.
      files_digest: see there.
      existing: the record that the picture was stored in, if it was.
      perceptual: hash of what it shows, if asked for.
    """

    stored: StoredImage
    checked: CheckedImage
    sha256: str
    mask_files: MaskFiles
    files_digest: int
    existing: ExistingRecord | None = None
    perceptual: int | None = None

    @property
    def size(self) -> int:
        """Bytes that it holds."""
        size = len(self.checked.data)
        if self.mask_files:
            size += sum(len(data) for data in self.mask_files.values() if isinstance(data, bytes))
        return size if self.existing is None else size + len(self.existing.payload)


class KeptRecord(NamedTuple):
    """A record as it was; without bytes if it was refused."""

    image: KeptImage
    payload: bytes

    @property
    def size(self) -> int:
        """Bytes that it holds."""
        return len(self.payload)


class StampedImage(NamedTuple):
    """An image, what was loaded of it, and the stamp of its files as ``InputFiles.stamp`` would have it."""

    image: AnnotatedImage
    stamp: int
    loaded: LoadedImage | KeptRecord | Refusal

    @property
    def size(self) -> int:
        """Bytes that were loaded."""
        return 0 if isinstance(self.loaded, Refusal) else self.loaded.size


class _ReadImage(NamedTuple):
    """An image whose files were read; ``beside`` are the stamps of all but the picture."""

    image: AnnotatedImage
    stored: StoredImage
    existing: ExistingRecord | None
    beside: Sequence[str]


@dataclass(frozen=True, slots=True)
class ImageLoader:
    """Loads images.

    Attributes:
      files: where they are.
      policy: how pictures are checked.
      with_perceptual_hashes: of the pictures.
      earlier: the shard before, if there is one. kept: the images whose records in it are as they would be made.
    """

    files: InputFiles
    policy: ImagePolicy
    with_perceptual_hashes: bool = False
    earlier: EarlierShard | None = None
    kept: Mapping[str, KeptImage] = field(default_factory=dict)

    def load(self, members: Sequence[PackedImage]) -> list[StampedImage]:
        """Unpacks images and reads their files, unless their records are there; step by step, as ``RecordMaker``.

        Raises:
          OSError: the storage failed.
          PreviousRefused: the dataset before is damaged.
        """
        images = [member.unpack() for member in members]
        read = [self._read(member, image) for member, image in zip(members, images, strict=True)]
        checked = [item if isinstance(item, StampedImage) else self._checked(item) for item in read]
        return [item if isinstance(item, StampedImage) else self._loaded(*item) for item in checked]

    def _read(self, member: PackedImage, image: AnnotatedImage) -> _ReadImage | StampedImage:
        if self.earlier is not None and (kept := self.kept.get(member.key)) is not None:
            return StampedImage(image, kept.stamp, KeptRecord(kept, self.earlier.payload(kept)))
        beside = self.files.stamps_beside(image)
        try:
            return _ReadImage(image, *self.files.read(image), beside)
        except ImageRefused as refused:
            return self._refused(image, None, refused.refusal, beside)

    def _checked(self, item: _ReadImage) -> tuple[_ReadImage, CheckedImage] | StampedImage:
        try:
            return item, check_image(item.stored.data, self.policy)
        except ImageRefused as refused:
            return self._refused(item.image, item.stored, refused.refusal, item.beside)

    def _refused(
        self, image: AnnotatedImage, stored: StoredImage | None, refusal: Refusal, beside: Sequence[str]
    ) -> StampedImage:
        stamp = self.files.stamp_of_refused(image, stored, refusal)
        return StampedImage(image, self.files.joined_stamp(image, stamp, beside), refusal)

    def _loaded(self, item: _ReadImage, checked: CheckedImage) -> StampedImage:
        image, stored, existing, beside = item
        mask_files = self.files.read_masks(image)
        near = perceptual_hash(checked.data, self.policy.max_pixels) if self.with_perceptual_hashes else None
        sha256 = hashlib.sha256(checked.data).hexdigest()
        source = stored.data if existing is None else existing.payload
        digest = files_digest(source, sha256 if source is checked.data else "", mask_files)
        loaded = LoadedImage(stored, checked, sha256, mask_files, digest, existing, near)
        return StampedImage(image, self.files.joined_stamp(image, stored.stamp, beside), loaded)
