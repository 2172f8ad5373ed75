"""How many images and boxes the annotations of a source have, and how long reading takes: from a sample of them."""

from __future__ import annotations

import io
import math
import time
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace

from pipelines.build_inputs import SourceInputs
from pipelines.plan_shared_images import at_most, counts_of, first_readings
from transforms import storage
from transforms.annotations.annotation_files import AnnotationFile
from transforms.annotations.companion_files import FolderCompanions, companions_place
from transforms.annotations.packs import MAX_IMAGES, decode_portion, encode_portion, pack_readings
from transforms.annotations.read_annotations import located, read_unit
from transforms.annotations.read_units import ReadUnit, format_of_unit
from transforms.annotations.unite_images import unite_packs
from transforms.images.open_image_store import open_image_store
from transforms.planning.coco_sample import sample_coco
from transforms.planning.sampling import NOTHING, UNKNOWN_MARGIN, Estimate, ratio_estimate, spread_by_hash
from transforms.records import AnnotatedImage, ReadContext, Reading, Rejection
from transforms.sources.class_changes import ClassChanges

# Files up to this size are read whole; of larger ones this much.
WHOLE_BYTES = 32 << 20
_SAMPLE_BYTES = 64 << 20
_MOST_LARGE_FILES = 4


@dataclass(slots=True)
class AnnotationSample:
    """What the annotation files of a source hold.

    Attributes:
      images, boxes: that are read from them, about.
      packs: readings of a part of them.
      read_images, refused_images: in these, images that can be written, and others.
      seconds: that making readings of all of them takes.
      units: seconds of each piece of that which one worker does.
      through: seconds that it takes before to go through each file of formats that have portions.
      portion_bytes: of these portions, which cross a shuffle.
      files, bytes: how many files, and how large they are together.
      notes: what the numbers rest on.
    """

    images: Estimate = NOTHING
    boxes: Estimate = NOTHING
    packs: list[bytes] = field(default_factory=list)
    read_images: int = 0
    refused_images: int = 0
    seconds: float = 0.0
    units: list[float] = field(default_factory=list)
    through: list[float] = field(default_factory=list)
    portion_bytes: float = 0.0
    files: int = 0
    bytes: int = 0
    notes: list[str] = field(default_factory=list)

    @property
    def is_whole(self) -> bool:
        """Everything was read."""
        return not self.images.margin and not self.boxes.margin


def sample_annotations(
    inputs: SourceInputs, changes: ClassChanges, most: int, with_masks: bool, work_folder: str
) -> AnnotationSample:
    """Reads some of a source's annotation files, or parts of them.

    Args:
      inputs: of the source.
      changes: of classes in all sources.
      most: images that the sample should hold, about.
      with_masks: masks are wanted.
      work_folder: for what reading writes.
    """
    units = inputs.read_units(changes, with_masks, work_folder)
    sample = AnnotationSample(files=len(inputs.files), bytes=sum(file.bytes for file in inputs.files))
    by_format: defaultdict[str, list[AnnotationFile]] = defaultdict(list)
    for file in inputs.files:
        by_format[file.format].append(file)
    sizes = {file.path: file.bytes for file in inputs.files}
    for unit in {unit.format: unit for unit in units}.values():
        files = by_format[unit.format]
        small = [file for file in files if file.bytes <= WHOLE_BYTES]
        large = [file for file in files if file.bytes > WHOLE_BYTES]
        work, before, packs_before = _Work(), sample.images.value, len(sample.packs)
        if small:
            work.add(_add_small(sample, small, unit, most))
        if large:
            work.add(_add_large(sample, large, unit, most))
        if format_of_unit(unit).files_share_images and len(files) > 1:
            _count_once(sample, packs_before, inputs.listing.images)
        all_bytes = max(1, sum(file.bytes for file in files))
        pieces = [
            sum(sizes[path] for path, _ in item.files) / all_bytes for item in units if item.format == unit.format
        ]
        if format_of_unit(unit).portions is not None:
            sample.through += [work.through * share for share in pieces]
            portions = math.ceil((sample.images.value - before) / MAX_IMAGES) or 1
            pieces = [1 / portions] * portions
        sample.units += [work.seconds * share for share in pieces]
        sample.seconds += work.seconds
        sample.portion_bytes += work.portion_bytes
    return sample


def _count_once(sample: AnnotationSample, first_pack: int, listed: int) -> None:
    """Takes the images that several files tell of off the counts, but for one reading of each."""
    packs = sample.packs[first_pack:]
    if sample.is_whole:
        sample.packs[first_pack:] = unite_packs(packs)
        before, after = counts_of(packs), counts_of(sample.packs[first_pack:])
        sample.images += Estimate(sum(after[:2]) - sum(before[:2]))
        sample.boxes += Estimate(after.boxes - before.boxes)
        sample.read_images += after.images - before.images
        sample.refused_images += after.refused - before.refused
    else:
        sample.packs[first_pack:] = first_readings(packs)
        sample.images = at_most(sample.images, listed)
        sample.notes.append("annotations: several files may tell of an image; no more were counted than are listed")


@dataclass(slots=True)
class _Work:
    """Seconds to go through files, and to make readings of what was found; bytes of the portions between."""

    through: float = 0.0
    seconds: float = 0.0
    portion_bytes: float = 0.0

    def add(self, other: _Work, times: float = 1.0) -> None:
        """Adds another's, so many times."""
        self.through += times * other.through
        self.seconds += times * other.seconds
        self.portion_bytes += times * other.portion_bytes


def _add_small(sample: AnnotationSample, files: Sequence[AnnotationFile], unit: ReadUnit, most: int) -> _Work:
    """Adds what some of these files, read whole, say of all; returns the work that all of them are."""
    chosen, size = [], 0
    for file in spread_by_hash(files, lambda file: file.relative, most):
        chosen.append(file)
        size += file.bytes
        if size >= _SAMPLE_BYTES:
            break
    count, work = _Count(sample), _Work()
    if format_of_unit(unit).portions is None:
        readings = read_unit(replace(unit, files=tuple((file.path, file.relative) for file in chosen)))
        work.seconds = _pack(count.counted(readings), unit, sample)
    else:
        for file in chosen:
            with storage.open_file(file.path) as stream:
                work.add(_read(stream.read(), file, unit, count, sample))
    images, boxes = ([counts[file.relative] for file in chosen] for counts in (count.images, count.boxes))
    sizes = [float(file.bytes) for file in chosen]
    all_bytes = float(sum(file.bytes for file in files))
    # Where each file is about as many images, the number of files tells more than their sizes.
    is_even = len(set(images)) == 1
    weights, all_weights = ([1.0] * len(chosen), float(len(files))) if is_even else (sizes, all_bytes)
    sample.images += ratio_estimate(images, weights, all_weights, len(files))
    sample.boxes += ratio_estimate(boxes, sizes, all_bytes, len(files))
    if len(chosen) < len(files):
        sample.notes.append(f"annotations: {len(chosen):,} of {len(files):,} files were read")
    of_all = _Work()
    of_all.add(work, all_bytes / max(1, size))
    return of_all


def _add_large(sample: AnnotationSample, files: Sequence[AnnotationFile], unit: ReadUnit, most: int) -> _Work:
    """As ``_add_small``, of files that are too large to be read whole."""
    chosen = spread_by_hash(files, lambda file: file.relative, _MOST_LARGE_FILES)
    found = [_read_part(file, unit, most, sample) for file in chosen]
    sizes, all_bytes = [float(file.bytes) for file in chosen], float(sum(file.bytes for file in files))

    def of_all(estimates: Sequence[Estimate]) -> Estimate:
        total = ratio_estimate([item.value for item in estimates], sizes, all_bytes, len(files))
        return replace(total, margin=max(total.margin, *(item.margin for item in estimates)))

    sample.images += of_all([images for images, _, _ in found])
    sample.boxes += of_all([boxes for _, boxes, _ in found])
    work = _Work()
    for _, _, item in found:
        work.add(item, all_bytes / sum(sizes))
    return work


def _read_part(
    file: AnnotationFile, unit: ReadUnit, most: int, sample: AnnotationSample
) -> tuple[Estimate, Estimate, _Work]:
    """Images and boxes of a file, and the work that it is as a whole."""
    count, work = _Count(sample), _Work()
    with storage.open_file(file.path) as stream:
        found = sample_coco(stream, most) if unit.format == "coco" else None
        if found is None:
            stream.seek(0)
            head = stream.read(WHOLE_BYTES)
    if found is not None:
        work.add(_read(found.document, file, unit, count, sample), file.bytes / len(found.document))
        sample.notes.append(f"annotations: of {file.relative} {WHOLE_BYTES >> 20} MiB were read, in many places")
        return found.images, found.boxes, work
    head = head[: head.rfind(b"\n") + 1] or head
    scale = file.bytes / len(head)
    work.add(_read(head, file, unit, count, sample), scale)
    sample.notes.append(f"annotations: of {file.relative} the first {len(head) >> 20} MiB were read")
    images, boxes = (Estimate(sum(counts.values()) * scale, UNKNOWN_MARGIN) for counts in (count.images, count.boxes))
    return images, boxes, work


def _read(data: bytes, file: AnnotationFile, unit: ReadUnit, count: _Count, sample: AnnotationSample) -> _Work:
    """Reads bytes in memory, in place of a file's, as a build does."""
    beside = FolderCompanions(*companions_place(file.path, file.relative))
    context = ReadContext(
        unit.source, file.relative, 1 if unit.voc_origin else 0, beside, unit.with_masks, file.path, unit.work_folder
    )
    annotation_format = format_of_unit(unit)
    if annotation_format.portions is None:
        readings = annotation_format.read(io.BytesIO(data), context)
        return _Work(seconds=_pack(count.counted(_edited(readings, unit)), unit, sample))
    begun = time.perf_counter()
    portions = [encode_portion(portion) for portion in annotation_format.portions(io.BytesIO(data), context)]
    work = _Work(time.perf_counter() - begun, 0.0, sum(map(len, portions)))
    for portion in portions:
        readings = decode_portion(portion).readings()
        work.seconds += _pack(count.counted(_edited(readings, unit)), unit, sample)
    return work


def _edited(readings: Iterable[Reading], unit: ReadUnit) -> Iterator[Reading]:
    store = open_image_store(unit.images_root)
    for reading in readings:
        edited = unit.edits.apply(reading) if unit.edits else reading
        yield located(edited, store) if isinstance(edited, AnnotatedImage) else edited


def _pack(readings: Iterable[Reading], unit: ReadUnit, sample: AnnotationSample) -> float:
    """Reads into packs, which join the sample; the seconds that it takes."""
    begun = time.perf_counter()
    sample.packs += pack_readings(readings, unit.namespace)
    return time.perf_counter() - begun


class _Count:
    """Images and boxes read from each annotation file, as the closing sums count them; and for the sample, how many."""

    def __init__(self, sample: AnnotationSample) -> None:
        self._sample = sample
        self.images: defaultdict[str, float] = defaultdict(float)
        self.boxes: defaultdict[str, float] = defaultdict(float)

    def counted(self, readings: Iterable[Reading]) -> Iterator[Reading]:
        for reading in readings:
            if isinstance(reading, AnnotatedImage):
                self.images[reading.annotation_file] += 1
                self.boxes[reading.annotation_file] += reading.boxes_read
            elif isinstance(reading, Rejection):
                self.images[reading.annotation_file] += reading.is_image
                self.boxes[reading.annotation_file] += len(reading.problems)
                self._sample.refused_images += reading.is_image
            self._sample.read_images += isinstance(reading, AnnotatedImage)
            yield reading
