"""The masks of one picture's objects, whatever they come as, to one PNG each of the picture's size."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from transforms.examples import feature_keys as keys
from transforms.examples.checked_objects import CheckedObject
from transforms.examples.geometry import Geometry
from transforms.examples.wire_format import BYTES, FLOAT, Value
from transforms.images.check_image import CheckedImage
from transforms.images.image_store import ImageRefused, ImageStore
from transforms.ledger.reasons import Reason
from transforms.ledger.refusal import Refusal
from transforms.masks.deflate_runs import Integers
from transforms.masks.mask_pictures import Values, bitmap_of_picture, values_of_picture
from transforms.masks.mask_png import (
    Bitmap,
    bitmap_of_columns,
    columns_of_bitmap,
    empty_mask_png,
    mask_offset,
    png_of_bitmap,
    pngs_of_columns,
    split_masks,
)
from transforms.masks.mask_refused import MaskRefused
from transforms.masks.polygons import changes_of_polygons, passed_over
from transforms.masks.run_lengths import changes_of_rle, rle_of_changes
from transforms.records import AnnotatedImage, BoxProblem, MaskBitmap, MaskFile, ObjectAnnotation, Polygons, Rle

MAX_MASK_BYTES = 256 << 20

_BATCH = 32  # objects whose masks are encoded together
_NO_CHANGES = np.empty(0, np.int64)

MaskFiles = Mapping[str, bytes | Refusal]
"""The content of mask files by their paths, or why there is none."""


@dataclass(frozen=True, slots=True)
class ObjectMasks:
    """Masks of all objects of a picture, in their order.

    Attributes:
      pngs: one each; of an object without a mask it has no pixel.
      weights: 1 for a mask, 0 for an object without one.
      problems: masks that were dropped, or of which something was passed over; the boxes stay.
      rles: the same masks as run lengths, if they are wanted.
    """

    pngs: list[bytes]
    weights: list[float]
    problems: list[BoxProblem]
    rles: list[Rle]

    def features(self) -> dict[str, Value]:
        """The features of a record: the weights are there if one is 0."""
        features: dict[str, Value] = {keys.MASK: (BYTES, self.pngs)}
        if not all(self.weights):
            features[keys.MASK_WEIGHT] = (FLOAT, self.weights)
        return features


def read_mask_files(
    image: AnnotatedImage, stores: Sequence[ImageStore], with_masks: bool
) -> dict[str, bytes | Refusal]:
    """Reads the files that an image's maps are in, and if wanted its objects' masks.

    Args:
      image: as annotated.
      stores: each file is read from the first that has it.
      with_masks: whether objects' masks are wanted.
    """
    return {path: _read_mask_file(path, stores) for path in mask_paths(image, with_masks)}


def mask_paths(image: AnnotatedImage, with_masks: bool) -> list[str]:
    """The files that ``read_mask_files`` reads, in order."""
    if not with_masks and image.panoptic is None and not image.semantic_map:
        return []
    paths = {image.panoptic.path if image.panoptic else "", image.semantic_map} - {""}
    if with_masks:
        paths |= {item.mask.path for item in image.objects if type(item.mask) is MaskFile}
    return sorted(paths)


def _read_mask_file(path: str, stores: Sequence[ImageStore]) -> bytes | Refusal:
    refusals = []
    for store in stores:
        try:
            return store.read(path).data
        except ImageRefused as refused:
            refusals.append(refused.refusal)
    found = [refused for refused in refusals if refused.reason is not Reason.IMAGE_MISSING]
    if found:
        is_outside = found[0].reason is Reason.PATH_OUTSIDE_ROOT
        reason = Reason.PATH_OUTSIDE_ROOT if is_outside else Reason.MASK_UNREADABLE
        return Refusal(reason, f"the mask file {path!r}: {found[0].detail}")
    return Refusal(Reason.MASK_MISSING, f"there is no mask file {path!r} below the annotations' root")


def encode_masks(
    objects: Sequence[CheckedObject],
    picture: CheckedImage,
    geometry: Geometry,
    files: MaskFiles,
    with_rles: bool = False,
) -> ObjectMasks:
    """Encodes the masks of a picture.

    Args:
      objects: of the picture; their masks are not trusted.
      picture: as written.
      geometry: from the plane of the annotation to the picture as written.
      files: content of their mask files.
      with_rles: as run lengths too.

    Raises:
      ImageRefused: the masks take more than a record may.
    """
    encoder = _MaskEncoder(picture, geometry, files, with_rles)
    masks = ObjectMasks([], [], [], [])
    total = 0
    for start in range(0, len(objects), _BATCH):
        batch = [item.annotation for item in objects[start : start + _BATCH]]
        for annotation, (png, changes, reason, detail) in zip(batch, encoder.encode(batch), strict=True):
            masks.pngs.append(png)
            if with_rles:
                masks.rles.append(rle_of_changes(changes, picture.width, picture.height))
            masks.weights.append(float(png is not encoder.empty))
            if reason is not None:
                masks.problems.append(_problem(annotation, reason, detail))
            total += len(png)
        if total > MAX_MASK_BYTES:
            detail = f"its first {len(masks.pngs)} masks take {total} bytes, the limit is {MAX_MASK_BYTES}"
            raise ImageRefused(Reason.EXAMPLE_TOO_LARGE, detail)
    return masks


def annotated_size(picture: CheckedImage, geometry: Geometry) -> tuple[int, int]:
    """Width and height of the plane that masks and maps were annotated in, pixels."""
    stored = picture.stored_size
    return stored[::-1] if geometry.orientation == 1 and picture.orientation >= 5 else stored


class _Encoded(NamedTuple):
    """A mask's PNG, where it changes down the columns if that is wanted, and what is wrong with it."""

    png: bytes
    changes: Integers
    reason: Reason | None = None
    detail: str = ""


class _MaskEncoder:
    """Encodes the masks of one picture; a file that many objects share is decoded once."""

    def __init__(self, picture: CheckedImage, geometry: Geometry, files: MaskFiles, with_changes: bool):
        self._written = (picture.width, picture.height)
        self._frame = annotated_size(picture, geometry)
        self._is_identity = geometry.orientation == 1 and self._frame == self._written
        self._geometry = geometry
        self._place = None if geometry.is_identity else geometry.points
        self._files = files
        self._with_changes = with_changes
        self._values: dict[str, Values] = {}
        self.empty = empty_mask_png(*self._written)

    def encode(self, annotations: Sequence[ObjectAnnotation]) -> list[_Encoded]:
        """The mask of each object; its PNG is ``empty`` itself if there is nothing to see."""
        encoded = [_Encoded(self.empty, _NO_CHANGES)] * len(annotations)
        runs: dict[int, Integers] = {}
        polygons: dict[int, Polygons] = {}
        for index, annotation in enumerate(annotations):
            mask = annotation.mask
            try:
                if isinstance(mask, Polygons):
                    polygons[index] = mask
                elif isinstance(mask, Rle) and self._is_identity:
                    runs[index] = changes_of_rle(mask, *self._frame)
                elif mask is not None:
                    bitmap = self._bitmap(mask)
                    encoded[index] = self._seen(png_of_bitmap(bitmap), columns_of_bitmap(bitmap))
            except MaskRefused as refused:
                encoded[index] = _Encoded(self.empty, _NO_CHANGES, refused.reason, refused.detail)
        results = [*self._encode_runs([*runs.values()]), *self._encode_polygons([*polygons.values()])]
        for index, result in zip([*runs, *polygons], results, strict=True):
            encoded[index] = result
        return encoded

    # Several masks at once take a third of the time that they take one by one.
    def _encode_runs(self, masks: Sequence[Integers]) -> list[_Encoded]:
        if not masks:
            return []
        moved = [changes + mask_offset(number, *self._written) for number, changes in enumerate(masks)]
        pngs = pngs_of_columns(np.concatenate(moved), len(masks), *self._written)
        return [self._seen(png, changes) for png, changes in zip(pngs, masks, strict=True)]

    def _encode_polygons(self, masks: Sequence[Polygons]) -> list[_Encoded]:
        if not masks:
            return []
        try:
            changes = changes_of_polygons([mask.rings for mask in masks], *self._written, self._place)
        except MaskRefused as refused:
            if len(masks) == 1:
                return [_Encoded(self.empty, _NO_CHANGES, refused.reason, refused.detail)]
            return [encoded for mask in masks for encoded in self._encode_polygons([mask])]
        pngs = pngs_of_columns(changes, len(masks), *self._written)
        parts = [_NO_CHANGES] * len(masks)
        if self._with_changes:
            parts = split_masks(changes, len(masks), *self._written)
        return [
            self._seen(png, part, passed_over(mask.rings)) for png, part, mask in zip(pngs, parts, masks, strict=True)
        ]

    def _seen(self, png: bytes, changes: Integers, remark: str = "") -> _Encoded:
        if png == self.empty:
            return _Encoded(self.empty, _NO_CHANGES, Reason.MASK_EMPTY, "the mask covers the middle of no pixel")
        if remark:
            return _Encoded(png, changes, Reason.POLY_INVALID, f"the polygon: {remark}")
        return _Encoded(png, changes)

    def _bitmap(self, mask: Rle | MaskBitmap | MaskFile) -> Bitmap:
        match mask:
            case Rle():
                return self._placed(bitmap_of_columns(changes_of_rle(mask, *self._frame), *self._frame))
            case MaskBitmap():
                return self._placed(bitmap_of_picture(mask, *self._frame))
            case MaskFile(path, value):
                values = self._file_values(path)
                return self._placed((values != 0 if value is None else values == value).view(np.uint8))

    def _file_values(self, path: str) -> Values:
        if path not in self._values:
            data = self._files[path]
            if isinstance(data, Refusal):
                raise MaskRefused(*data)
            self._values[path] = values_of_picture(data, *self._frame)
        return self._values[path]

    def _placed(self, bitmap: Bitmap) -> Bitmap:
        return bitmap if self._is_identity else self._geometry.pixels(bitmap)


def _problem(annotation: ObjectAnnotation, reason: Reason, detail: str) -> BoxProblem:
    return BoxProblem(annotation.position, annotation.box_id, annotation.class_name, "repaired", reason, detail)
