"""The files that an image is made from: read, stamped unread, or only compared with what they were."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from transforms import storage
from transforms.examples.existing_record import ExistingRecord, load_record
from transforms.images.image_store import ImageStore, StoredImage
from transforms.images.open_image_store import open_image_store
from transforms.images.record_store import read_record
from transforms.ledger.reasons import Reason
from transforms.ledger.refusal import Refusal
from transforms.masks.object_masks import MaskFiles, mask_paths, read_mask_files
from transforms.records import AnnotatedImage
from transforms.shards.image_inputs import files_digest, short_digest
from transforms.shards.input_stamps import NO_STAMP

_MISSING = "missing"


@dataclass(frozen=True, slots=True)
class InputFiles:
    """Where pictures and masks lie.

    Attributes:
      stores: of pictures, by their sources' names.
      mask_stores: for each source's name, of masks and maps.
      with_masks: masks of objects are wanted.
    """

    stores: Mapping[str, ImageStore]
    mask_stores: Mapping[str, Sequence[ImageStore]]
    with_masks: bool

    @classmethod
    def of(
        cls, image_roots: Mapping[str, str], annotation_roots: Mapping[str, Sequence[str]], with_masks: bool
    ) -> InputFiles:
        """From the folders of each source; see ``ShardSettings``."""
        stores = {source: open_image_store(root) for source, root in image_roots.items() if root}
        masks = {source: [*map(open_image_store, annotation_roots.get(source, ()))] for source in image_roots}
        return cls(stores, masks, with_masks)

    def read(self, image: AnnotatedImage) -> tuple[StoredImage, ExistingRecord | None]:
        """The picture, and the record that it is stored in, if it is.

        Raises:
          ImageRefused: see ``ImageStore.read`` and ``load_record``.
          OSError: the storage failed.
        """
        if image.record is not None:
            return load_record(image.record, image.file_name)
        return self.stores[image.source].read(image.file_name), None

    def read_masks(self, image: AnnotatedImage) -> MaskFiles:
        """See ``read_mask_files``."""
        return read_mask_files(image, self.mask_stores[image.source], self.with_masks)

    def stamp(self, image: AnnotatedImage) -> int:
        """A 64-bit stamp of all these files, of which none is opened; NO_STAMP where one is unknown."""
        picture = "" if image.record is not None else _known(self.stores[image.source].stamp(image.file_name))
        return self.joined_stamp(image, picture, self.stamps_beside(image))

    def stamps_beside(self, image: AnnotatedImage) -> list[str]:
        """Stamps of the files of masks and of stored records; to be taken before these are read."""
        stamps = []
        if image.record is not None:
            status = storage.status(image.record.path)
            tag = _known(None if status is None else status.tag)
            stamps.append(f"{tag} {image.record.offset} {image.record.length}" if tag else "")
        for path in mask_paths(image, self.with_masks):
            found = (store.stamp(path) for store in self.mask_stores[image.source])
            stamps.append(_known(next((stamp for stamp in found if stamp is not None), None)))
        return stamps

    def stamp_of_refused(self, image: AnnotatedImage, stored: StoredImage | None, refusal: Refusal) -> str:
        """The stamp of the picture of an image that is refused, before or after it was read."""
        if stored is not None or image.record is not None:
            return "" if stored is None else stored.stamp
        is_missing = refusal.reason is Reason.IMAGE_MISSING
        return _known(None if is_missing else self.stores[image.source].stamp(image.file_name))

    def joined_stamp(self, image: AnnotatedImage, picture: str, beside: Sequence[str]) -> int:
        """All stamps of an image as one; NO_STAMP if one of them is unknown.

        Args:
          image: as annotated.
          picture: stamp of its file; of no meaning for a stored record.
          beside: see ``stamps_beside``.
        """
        stamps = list(beside) if image.record is not None else [picture, *beside]
        if not all(stamps):
            return NO_STAMP
        return short_digest("\n".join(stamps).encode())

    def digest(self, image: AnnotatedImage) -> int:
        """See ``files_digest``; the files are read.

        Raises:
          ImageRefused, OSError: see ``read``.
        """
        if image.record is not None:
            data = read_record(image.record)
        else:
            data = self.stores[image.source].read(image.file_name).data
        return files_digest(data, "", self.read_masks(image))


def _known(stamp: str | None) -> str:
    """A file that is not there has a stamp of its own."""
    return _MISSING if stamp is None else stamp
