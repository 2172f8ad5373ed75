"""How many images and boxes the annotations of a source have, and how long reading them takes: from a sample of them."""

from __future__ import annotations

import io
import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace

from pipelines.build_inputs import SourceInputs
from transforms.annotations.annotation_files import AnnotationFile, ReadUnit, format_of_unit
from transforms.annotations.companion_files import FolderCompanions, companions_place
from transforms.annotations.packs import pack_readings
from transforms.annotations.read_annotations import located, read_unit
from transforms.images.image_store import ImageStore
from transforms.planning.coco_sample import sample_coco
from transforms.planning.sampling import UNKNOWN_MARGIN, Estimate, ratio_estimate, spread_by_hash
from transforms.records import AnnotatedImage, ReadContext, Reading
from transforms.sources.class_changes import ClassChanges
from transforms.splits.assign_shards import index_pack
from transforms.splits.build_plan import PlanSettings

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
      seconds: that reading all of them takes.
      units: seconds that each piece takes which one worker reads.
      files, bytes, largest: how many files, how large they are together, and the largest.
      notes: what the numbers rest on.
    """

    images: Estimate = Estimate(0.0)
    boxes: Estimate = Estimate(0.0)
    packs: list[bytes] = field(default_factory=list)
    seconds: float = 0.0
    units: list[float] = field(default_factory=list)
    files: int = 0
    bytes: int = 0
    largest: int = 0
    notes: list[str] = field(default_factory=list)

    @property
    def is_whole(self) -> bool:
        """Everything was read."""
        return not self.images.margin and not self.boxes.margin


@dataclass(frozen=True, slots=True)
class _FileSample:
    """What was read of one file: so many of its bytes, in so many seconds; and what it has as a whole."""

    images: Estimate
    boxes: Estimate
    seconds: float
    note: str = ""


def sample_annotations(
    inputs: SourceInputs,
    changes: ClassChanges,
    settings: PlanSettings,
    most: int,
    with_masks: bool,
    work_folder: str,
) -> AnnotationSample:
    """Reads some of a source's annotation files, or parts of them.

    Args:
      inputs: of the source.
      changes: of classes in all sources.
      settings: by which readings are counted.
      most: images that the sample should hold, about.
      with_masks: masks are wanted.
      work_folder: for what reading writes.
    """
    units = inputs.read_units(changes, with_masks, work_folder)
    sample = AnnotationSample(files=len(inputs.files), bytes=sum(file.bytes for file in inputs.files))
    sample.largest = max(file.bytes for file in inputs.files)
    unit_of = {path: unit for unit in units for path, _ in unit.files}
    by_format: defaultdict[str, list[AnnotationFile]] = defaultdict(list)
    for file in inputs.files:
        by_format[file.format].append(file)
    by_format.pop("", None)
    pace: dict[str, float] = {}  # seconds a byte
    for name, files in by_format.items():
        small = [file for file in files if file.bytes <= WHOLE_BYTES]
        large = [file for file in files if file.bytes > WHOLE_BYTES]
        seconds = 0.0
        for group, read in ((small, _read_whole), (large, _read_part)):
            if group:
                seconds += _add_group(sample, group, unit_of, settings, most, read)
        pace[name] = seconds / max(1, sum(file.bytes for file in files))
        sample.seconds += seconds
    sizes = {file.path: file.bytes for file in inputs.files}
    sample.units = [pace[unit.format] * sum(sizes[path] for path, _ in unit.files) for unit in units]
    return sample


_Read = Callable[[AnnotationFile, ReadUnit, PlanSettings, int, AnnotationSample], _FileSample]


def _add_group(
    sample: AnnotationSample,
    files: Sequence[AnnotationFile],
    unit_of: dict[str, ReadUnit],
    settings: PlanSettings,
    most: int,
    read: _Read,
) -> float:
    """Adds what a sample of files says of all of them; returns the seconds that reading all takes."""
    chosen = spread_by_hash(files, lambda file: file.relative, most if read is _read_whole else _MOST_LARGE_FILES)
    found: list[tuple[AnnotationFile, _FileSample]] = []
    size = 0
    for file in chosen:
        found.append((file, read(file, unit_of[file.path], settings, most, sample)))
        size += file.bytes
        if read is _read_whole and size >= _SAMPLE_BYTES:
            break
    all_bytes = sum(file.bytes for file in files)
    sizes = [float(file.bytes) for file, _ in found]
    images = [item.images.value for _, item in found]
    # Files of one image each, say: then their number tells more than their sizes.
    ones = [1.0] * len(found)
    is_even = len(set(images)) == 1
    if is_even:
        of_images = ratio_estimate(images, ones, len(files), len(files))
    else:
        of_images = ratio_estimate(images, sizes, all_bytes, len(files))
    of_boxes = ratio_estimate([item.boxes.value for _, item in found], sizes, all_bytes, len(files))
    within = [max(getattr(item, kind).margin for _, item in found) for kind in ("images", "boxes")]
    sample.images += replace(of_images, margin=max(of_images.margin, within[0]))
    sample.boxes += replace(of_boxes, margin=max(of_boxes.margin, within[1]))
    if len(found) < len(files):
        sample.notes.append(f"annotations: {len(found):,} of {len(files):,} files were read")
    sample.notes += [item.note for _, item in found if item.note]
    return ratio_estimate([item.seconds for _, item in found], sizes, all_bytes, len(files)).value


def _read_whole(
    file: AnnotationFile, unit: ReadUnit, settings: PlanSettings, most: int, sample: AnnotationSample
) -> _FileSample:
    del most
    one = replace(unit, files=((file.path, file.relative),))
    images, boxes, seconds = _count(lambda: read_unit(one), unit, settings, sample)
    return _FileSample(Estimate(images), Estimate(boxes), seconds)


def _read_part(
    file: AnnotationFile, unit: ReadUnit, settings: PlanSettings, most: int, sample: AnnotationSample
) -> _FileSample:
    if unit.format == "coco":
        with open(file.path, "rb") as stream:
            found = sample_coco(stream, most)
        if found is not None:
            stream = io.BytesIO(found.document)
            _, _, seconds = _count(lambda: _read_stream(stream, file, unit), unit, settings, sample)
            note = f"annotations: {file.relative} is known from {WHOLE_BYTES >> 20} MiB of it, in many places"
            return _FileSample(found.images, found.boxes, seconds * file.bytes / len(found.document), note)
    with open(file.path, "rb") as stream:
        head = stream.read(WHOLE_BYTES)
    head = head[: head.rfind(b"\n") + 1] or head
    part = io.BytesIO(head)
    images, boxes, seconds = _count(lambda: _read_stream(part, file, unit), unit, settings, sample)
    scale = file.bytes / len(head)
    note = f"annotations: {file.relative} is known from its first {len(head) >> 20} MiB"
    return _FileSample(
        Estimate(images * scale, UNKNOWN_MARGIN), Estimate(boxes * scale, UNKNOWN_MARGIN), seconds * scale, note
    )


def _read_stream(stream: io.BytesIO, file: AnnotationFile, unit: ReadUnit) -> Iterable[Reading]:
    """As ``read_unit``, of bytes in memory in place of the file's."""
    store = ImageStore(unit.images_root)
    beside = FolderCompanions(*companions_place(file.path, file.relative))
    context = ReadContext(
        unit.source, file.relative, 1 if unit.voc_origin else 0, beside, unit.with_masks, file.path, unit.work_folder
    )
    for reading in format_of_unit(unit).read(stream, context):
        edited = unit.edits.apply(reading) if unit.edits else reading
        yield located(edited, store) if isinstance(edited, AnnotatedImage) else edited


def _count(
    read: Callable[[], Iterable[Reading]], unit: ReadUnit, settings: PlanSettings, sample: AnnotationSample
) -> tuple[int, int, float]:
    """Reads into packs that join the sample; images, boxes and seconds."""
    begun = time.perf_counter()
    packs = list(pack_readings(read(), unit.namespace))
    seconds = time.perf_counter() - begun
    counts = [index_pack(pack, settings).counts for pack in packs]
    sample.packs += packs
    return sum(item.images_read for item in counts), sum(item.boxes_read for item in counts), seconds
