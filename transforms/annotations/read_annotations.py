"""Reads annotation files in parallel into packs of readings."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import BinaryIO, Literal

import apache_beam as beam
from apache_beam.metrics import Metrics

from transforms.annotations.companion_files import ANNOTATION_FOLDERS, FolderCompanions, companions_place
from transforms.annotations.pack_store import IN_MEMORY, PackStore
from transforms.annotations.packs import decode_portion, encode_pack, encode_portion, pack_readings
from transforms.annotations.read_units import ReadUnit, format_of_unit
from transforms.annotations.unite_images import UniteImages
from transforms.freed_memory import release_freed_memory
from transforms.images.image_names import IMAGE_SUFFIXES, image_key, is_plain_image_name, name_parts
from transforms.images.image_store import ImageStore
from transforms.images.open_image_store import open_image_store
from transforms.ledger.reasons import Reason
from transforms.records import AnnotatedImage, DeclaredClasses, ReadContext, Reading, Rejection
from transforms.storage.open_ahead import open_ahead
from transforms.storage.remote_listings import RemoteListings

_images_read = Metrics.counter("boxmill", "images_read")
_COUNTED_AT_ONCE = 100


def read_unit(unit: ReadUnit, listings: RemoteListings | None = None) -> Iterator[Reading]:
    """Reads the files of a unit; classes that files declare alike are passed on once.

    Args:
      unit: the files.
      listings: of remote folders, to share what is known of them between units.
    """
    listings = listings or RemoteListings()
    read = format_of_unit(unit).read
    readings = (reading for stream, context in _streams(unit, listings) for reading in read(stream, context))
    return _finished(readings, unit, listings)


def _streams(unit: ReadUnit, listings: RemoteListings) -> Iterator[tuple[BinaryIO, ReadContext]]:
    companions: dict[tuple[str, str], FolderCompanions] = {}
    origin: Literal[0, 1] = 1 if unit.voc_origin else 0
    for (path, relative), opened in zip(unit.files, open_ahead([path for path, _ in unit.files]), strict=True):
        place = companions_place(path, relative)
        beside = companions.setdefault(place, FolderCompanions(*place, listings))
        context = ReadContext(
            unit.source, relative, origin, beside, unit.with_masks, path, unit.work_folder, unit.expand_hierarchy
        )
        with opened as stream:
            yield stream, context


def _finished(readings: Iterable[Reading], unit: ReadUnit, listings: RemoteListings) -> Iterator[Reading]:
    store = open_image_store(unit.images_root, listings)
    declared: set[DeclaredClasses] = set()
    for reading in map(unit.edits.apply, readings) if unit.edits else readings:
        if isinstance(reading, AnnotatedImage):
            yield located(reading, store)
        elif not isinstance(reading, DeclaredClasses):
            yield reading
        elif reading not in declared:
            declared.add(reading)
            yield reading


def located(image: AnnotatedImage, store: ImageStore) -> AnnotatedImage:
    """The image under the name that it has below the images' root, which is then its key.

    Most names are that already. Others are looked for: names without an extension, or of another machine; and names
    in annotation files of a subfolder, which mean an image in the same subfolder – less folders that only say that
    annotations are in them, so ``train/annotations/1.xml`` is about ``train/1.jpg``, or with a folder of images in
    their place, so ``labels/train/1.txt`` is about ``images/train/1.jpg`` – unless there is none. Where the
    format says of several names that each may be the image's, the first that is there is. And where there is a folder
    of images, ``1.jpg`` may be what others call ``images/1.jpg``.
    """
    if image.record is not None:
        return image
    is_alone = not image.folder and not image.other_names
    place, _, _ = image.file_name.rpartition("/")
    if is_alone and is_plain_image_name(image.file_name) and not store.has_image_folder(place):  # nearly always
        return image
    parts = [part for part in image.folder.split("/") if part]
    folders = [part for part in parts if part.lower() not in ANNOTATION_FOLDERS]
    mirrored = [ANNOTATION_FOLDERS.get(part.lower(), part) for part in parts]
    has_suffix = image.file_name.lower().endswith(IMAGE_SUFFIXES)
    if not parts and not image.other_names and has_suffix and not name_parts(image.file_name)[1]:
        place, _, _ = image_key(image.file_name).rpartition("/")
        if not store.has_image_folder(place):
            return image
    names = (image.file_name, *image.other_names)
    places = [place for place in (folders, mirrored) if place]
    candidates = ["/".join([*place, name]) for place in places for name in names]
    name = next((found for item in [*candidates, *names] if (found := store.locate(item)) is not None), None)
    if name is None:
        # Files of one name in several folders stay apart.
        return image._replace(file_name=candidates[0]) if image.is_named_by_file and folders else image
    is_completed = not image.is_named_by_file and not has_suffix and name.lower().endswith(IMAGE_SUFFIXES)
    repairs = (*image.repairs, Reason.NAME_COMPLETED) if is_completed else image.repairs
    return image._replace(file_name=name, repairs=repairs)


class _ReadUnitDoFn(beam.DoFn):
    """Reads the files of a unit into packs, counting images as they come; keeps what is known of remote folders."""

    def __init__(self, store: PackStore):
        self._store = store

    def setup(self) -> None:
        self._listings = RemoteListings()

    def process(self, unit: ReadUnit) -> Iterator[bytes]:
        return map(self._store.put, pack_readings(_counted(read_unit(unit, self._listings)), unit.namespace))


class _GoThroughDoFn(beam.DoFn):
    """Goes through the files of a unit of a format that has portions; the unit travels with each, without its files."""

    def __init__(self, store: PackStore):
        self._store = store

    def process(self, unit: ReadUnit) -> Iterator[tuple[ReadUnit, bytes]]:
        portions = format_of_unit(unit).portions
        assert portions is not None
        of_unit = replace(unit, files=())
        for stream, context in _streams(unit, RemoteListings()):
            for portion in portions(stream, context):
                yield of_unit, self._store.put(encode_portion(portion))

    def finish_bundle(self) -> None:
        release_freed_memory()


class _ReadPortionDoFn(beam.DoFn):
    """As ``_ReadUnitDoFn``, of a portion."""

    def __init__(self, store: PackStore):
        self._store = store

    def setup(self) -> None:
        self._listings = RemoteListings()

    def process(self, element: tuple[ReadUnit, bytes]) -> Iterator[bytes]:
        unit, portion = element
        readings = _finished(decode_portion(portion).readings(), unit, self._listings)
        return map(self._store.put, pack_readings(_counted(readings), unit.namespace))


def _counted(readings: Iterable[Reading]) -> Iterator[Reading]:
    count = 0
    for reading in readings:
        count += isinstance(reading, AnnotatedImage)
        if count == _COUNTED_AT_ONCE:
            _images_read.inc(count)
            count = 0
        yield reading
    _images_read.inc(count)


@dataclass
class ReadAnnotations(beam.PTransform):
    """Units and ready-made rejections to packs of readings.

    Attributes:
      units: files to read.
      rejections: what was refused before reading.
      store: of the packs.
    """

    units: Sequence[ReadUnit]
    rejections: Sequence[Rejection] = ()
    store: PackStore = IN_MEMORY

    def expand(self, root: beam.pvalue.PBegin) -> beam.PCollection[bytes]:
        sharing, others = parted_units(self.units)
        parts = _read(root, others, self.store, "")
        if sharing:
            read = _read(root, sharing, self.store, " that share images")
            shared = read | "All packs that share images" >> beam.Flatten()
            parts.append(shared | "Unite images" >> UniteImages(self.store))
        if self.rejections:
            parts.append(root | "List refused files" >> beam.Create([encode_pack(list(self.rejections))]))
        return parts[0] if len(parts) == 1 else parts | "All packs" >> beam.Flatten()


def parted_units(units: Iterable[ReadUnit]) -> tuple[list[ReadUnit], list[ReadUnit]]:
    """The units of sources that have several files of which each may tell more of the same images; and all others."""
    candidates: defaultdict[str, list[ReadUnit]] = defaultdict(list)
    sharing: list[ReadUnit] = []
    others: list[ReadUnit] = []
    for unit in units:
        (candidates[unit.source] if format_of_unit(unit).files_share_images else others).append(unit)
    for found in candidates.values():
        (sharing if sum(len(unit.files) for unit in found) > 1 else others).extend(found)
    return sharing, others


def _read(
    root: beam.pvalue.PBegin, units: Sequence[ReadUnit], store: PackStore, suffix: str
) -> list[beam.PCollection[bytes]]:
    """Packs of the readings of some units; the suffix tells the steps from those of others."""
    whole = [unit for unit in units if format_of_unit(unit).portions is None]
    huge = [unit for unit in units if format_of_unit(unit).portions is not None]
    parts = []
    if whole:
        files = root | f"List units{suffix}" >> beam.Create(whole, reshuffle=len(whole) > 1)
        parts.append(files | f"Read units{suffix}" >> beam.ParDo(_ReadUnitDoFn(store)))
    if huge:
        files = root | f"List huge files{suffix}" >> beam.Create(huge, reshuffle=len(huge) > 1)
        portions = files | f"Go through{suffix}" >> beam.ParDo(_GoThroughDoFn(store))
        shared_out = portions | f"Share out{suffix}" >> beam.Reshuffle()
        parts.append(shared_out | f"Read portions{suffix}" >> beam.ParDo(_ReadPortionDoFn(store)))
    return parts
