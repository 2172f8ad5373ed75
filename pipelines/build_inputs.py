"""The inputs of ``boxmill build``: which sources the user names, and what lies on disk of each."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from absl import flags

from pipelines.build_flags import FORMAT_NAMES
from pipelines.flags import UsageError
from transforms import storage

if TYPE_CHECKING:
    from transforms.annotations.annotation_files import AnnotationFile
    from transforms.annotations.read_units import ReadUnit
    from transforms.images.image_listing import ImageListing
    from transforms.records import Rejection
    from transforms.sources.class_changes import ClassChanges
    from transforms.sources.source import Source


@dataclass(frozen=True, slots=True)
class SourceInputs:
    """What lies on disk of a source before anything is built.

    Attributes:
      source: as the user describes it.
      files: of annotations, in order of their names.
      images_root: the folder of images, or "" if records hold them all.
      listing: of that folder; of records, about how many there are.
      masks: pictures in the folders that the annotations' formats keep masks and maps in.
      is_alone: there is no other source.
      split_lists: of names of images, if the source's own splits are taken.
    """

    source: Source
    files: Sequence[AnnotationFile]
    images_root: str
    listing: ImageListing
    masks: ImageListing
    is_alone: bool
    split_lists: tuple[str, ...] | None = None

    @property
    def newest(self) -> float:
        """The latest modification time of any file, in seconds of the epoch."""
        return max(self.listing.newest, self.masks.newest, *(file.modified for file in self.files))

    @property
    def annotation_roots(self) -> tuple[str, ...]:
        """The folders that files beside the annotation files are below."""
        from transforms.annotations.companion_files import companions_place

        return tuple(sorted({companions_place(file.path, file.relative)[0] for file in self.files}))

    @property
    def images_path(self) -> str:
        """The absolute path of the folder of images, or ""."""
        return storage.absolute(self.images_root) if self.images_root else ""

    def read_units(self, classes: ClassChanges, with_masks: bool, work_folder: str) -> list[ReadUnit]:
        """The annotation files as units of work.

        Args:
          classes: changes in all sources, made after the source's own.
          with_masks: whether masks and maps are wanted.
          work_folder: for what is needed until the build ends.
        """
        from transforms.annotations.read_units import read_units
        from transforms.sources.source_edits import SourceEdits
        from transforms.sources.split_finder import SplitFinder

        splits = None if self.split_lists is None else SplitFinder(self.split_lists)
        return read_units(
            self.files,
            self.source.name,
            self.images_path,
            self.source.voc_origin,
            SourceEdits((self.source.classes, classes), self.source.weight, splits),
            "" if self.is_alone else f"{self.source.name}/",
            with_masks,
            storage.absolute(work_folder),
        )

    def rejections(self) -> list[Rejection]:
        """Annotation files that no format claims."""
        from transforms.ledger.reasons import Reason
        from transforms.records import Rejection

        return [
            Rejection(
                Reason.ANNOTATION_UNREADABLE,
                "no known format claims this file",
                is_image=False,
                source=self.source.name,
                annotation_file=file.relative,
            )
            for file in self.files
            if not file.format
        ]

    def identity(self) -> dict[str, Any]:
        """The source's entry in the manifest: with the settings, all that its part of the dataset depends on."""
        from transforms.annotations.companion_digests import companion_digests

        digest = hashlib.sha256()
        for file in self.files:
            digest.update(f"{file.relative}\0{file.format}\0{file.sha256}\n".encode("utf-8", "surrogateescape"))
        for name, sha256 in sorted(companion_digests(self.files).items()):
            digest.update(f"{name}\0\0{sha256}\n".encode("utf-8", "surrogateescape"))
        entry = {
            "name": self.source.name,
            "annotation_files": len(self.files),
            "annotation_formats": sorted({file.format for file in self.files if file.format}),
            "annotations_sha256": digest.hexdigest(),
            **self.source.options(),
            **({"split_lists": _digests(self.split_lists)} if self.split_lists else {}),
        }
        if self.images_root:
            listing = self.listing
            entry |= {"images": listing.images, "image_bytes": listing.bytes, "images_digest": listing.digest}
        if self.masks.images:
            masks = self.masks
            entry |= {"mask_files": masks.images, "mask_bytes": masks.bytes, "masks_digest": masks.digest}
        return entry


def _digests(paths: Sequence[str]) -> dict[str, str]:
    digests = {}
    for path in paths:
        with storage.open_file(path) as file:
            digests[os.path.basename(path)] = storage.sha256_of(file)
    return digests


def sources_of(values: flags.FlagValues) -> list[Source]:
    """The sources that the user names.

    Raises:
      UsageError: in two ways, or in a file that cannot be used.
    """
    from transforms.sources.documents import DocumentError
    from transforms.sources.source import Source, read_sources

    if values.sources:
        if values.annotations or values.images:
            raise UsageError("--sources names annotations and images itself; leave --annotations and --images out")
        try:
            return read_sources(values.sources, values.format, values.voc_origin)
        except OSError as error:
            raise UsageError(f"--sources={values.sources} cannot be read: {error.strerror}") from None
        except DocumentError as error:
            raise UsageError(f"--sources={values.sources}: {error}") from None
    # The last part of the path alone: a dataset does not depend on where its inputs lie.
    name = os.path.basename(storage.absolute(values.annotations[0]))
    return [Source(name, tuple(values.annotations), values.images, values.format, values.voc_origin)]


def find_inputs(
    sources: Sequence[Source],
    sources_file: str | None = None,
    takes_splits: bool = False,
    most_opened: int | None = None,
    with_masks: bool = True,
) -> list[SourceInputs]:
    """Looks at the files of all sources.

    Args:
      sources: to look at.
      sources_file: that lists them, if one does.
      takes_splits: splits that the sources give are to be taken.
      most_opened: annotation files of a source, see ``find_annotations``.
      with_masks: masks and maps are wanted.

    Raises:
      UsageError: annotations or images are not there; if a file lists the sources, it says of which.
    """
    inputs = []
    for source in sources:
        try:
            inputs.append(_find_source_inputs(source, len(sources) == 1, takes_splits, most_opened, with_masks))
        except UsageError as error:
            if not sources_file:
                raise
            what = str(error).replace("--annotations=", "annotations ").replace("--images=", "images ")
            raise UsageError(f"--sources={sources_file}, source {source.name}: {what}") from None
    return inputs


def _find_source_inputs(
    source: Source, is_alone: bool, takes_splits: bool, most_opened: int | None, with_masks: bool
) -> SourceInputs:
    from transforms.annotations.annotation_files import AnnotationsNotFound, find_annotations
    from transforms.annotations.mask_folders import mask_folders
    from transforms.images.image_listing import list_images, list_pngs
    from transforms.sources.split_finder import find_split_lists

    if source.format not in FORMAT_NAMES:
        raise UsageError(f"format {source.format!r} is not known; the formats are {', '.join(FORMAT_NAMES)}")
    try:
        files = find_annotations(source.annotations, source.format, most_opened)
    except AnnotationsNotFound as error:
        raise UsageError(str(error)) from None
    except OSError as error:
        raise UsageError(f"cannot read {error.filename}: {error.strerror}") from None
    lists = find_split_lists(source.annotations) if takes_splits else None
    if {file.format for file in files} <= {"tfrecord", ""}:
        return SourceInputs(source, files, "", _list_records(files), list_pngs({}), is_alone, lists)
    root = source.images or _default_images_root(source.annotations[0])
    try:
        listing = list_images(root)
    except FileNotFoundError:
        raise UsageError(f"--images={storage.missing(root)}") from None
    except OSError as error:
        raise UsageError(f"--images={root} cannot be read: {error.strerror}") from None
    if not listing.images:
        raise UsageError(f"--images={root} holds no image; give the folder that the annotations' file names start from")
    masks = list_pngs(mask_folders(files) if with_masks else {})
    return SourceInputs(source, files, root, listing, masks, is_alone, lists)


def _list_records(files: Sequence[AnnotationFile]) -> ImageListing:
    from transforms.annotations.record_files import estimated_records
    from transforms.images.image_listing import ImageListing

    records = [file for file in files if file.format]
    images = sum(estimated_records(file.path) for file in records if file.bytes)
    return ImageListing(max(1, images), sum(file.bytes for file in records), 0.0, "")


def _default_images_root(annotations: str) -> str:
    from transforms.images.image_listing import image_names
    from transforms.images.image_names import IMAGE_FOLDERS

    folder = annotations if storage.is_folder(annotations) else os.path.dirname(annotations) or "."
    parent = os.path.join(folder, os.pardir)
    candidates = [os.path.join(place, name) for place in (parent, folder) for name in IMAGE_FOLDERS]
    for candidate in candidates:
        candidate = storage.normal(candidate)
        if storage.is_folder(candidate) and any(True for _ in image_names(candidate)):
            return candidate
    return folder
