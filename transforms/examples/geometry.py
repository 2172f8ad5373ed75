"""From the plane in which a picture was annotated to the pixels that are written: turned, then resized.

Boxes, masks and keypoints all go through one ``Geometry``, so that they stay on the pixels that they were drawn on.
EXIF orientations: Exif 2.32, tag 0x0112; each is a mirroring of the stored axes, then maybe their exchange.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from transforms.images.check_image import CheckedImage, Frame
from transforms.images.image_store import ImageRefused
from transforms.ledger.reasons import Reason
from transforms.records import AnnotatedImage, Box

_X_IS_MIRRORED = (2, 3, 7, 8)
_Y_IS_MIRRORED = (3, 4, 6, 7)
_AXES_ARE_EXCHANGED = (5, 6, 7, 8)


class Geometry(NamedTuple):
    """A map of planes.

    Attributes:
      width, height: of the annotated plane, in the unit of the annotation: pixels, or 1 by 1 for fractions.
      written_width, written_height: of the picture as written, pixels.
      orientation: EXIF orientation 1 to 8 that turns the annotated plane upright.
      area_scale: pixels² as written for a pixel² of the source.
    """

    width: float
    height: float
    written_width: int
    written_height: int
    orientation: int = 1
    area_scale: float = 1.0

    @property
    def is_identity(self) -> bool:
        """Whether coordinates stay as they are, as they nearly always do."""
        return self.orientation == 1 and (self.width, self.height) == (self.written_width, self.written_height)

    @property
    def is_same_plane(self) -> bool:
        """Whether the picture was neither turned nor resized under what was annotated on it."""
        return self.orientation == 1 and self.area_scale == 1

    def point(self, x: float, y: float) -> tuple[float, float]:
        """A point of the annotated plane, in pixels of the written one."""
        if self.orientation in _X_IS_MIRRORED:
            x = self.width - x
        if self.orientation in _Y_IS_MIRRORED:
            y = self.height - y
        if self.orientation in _AXES_ARE_EXCHANGED:
            return y * self.written_width / self.height, x * self.written_height / self.width
        # Multiplied first: so an edge on the border stays on it, to the last bit.
        return x * self.written_width / self.width, y * self.written_height / self.height

    def points(self, points: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        """As ``point``, for x, y of many points [N, 2]."""
        x, y = self.point(points[:, 0], points[:, 1])  # type: ignore[arg-type]
        return np.stack([x, y], axis=1)

    def box(self, box: Box) -> Box:
        """The box over the same pixels; edges that were in the wrong order stay so, for the check to see."""
        x0, y0, x1, y1 = box
        if self.orientation in _X_IS_MIRRORED:
            x0, x1 = x1, x0
        if self.orientation in _Y_IS_MIRRORED:
            y0, y1 = y1, y0
        return Box(*self.point(x0, y0), *self.point(x1, y1))

    def pixels(self, pixels: npt.NDArray[Any]) -> npt.NDArray[Any]:
        """Values of the annotated plane's pixels [rows, columns] as those of the written picture, the nearest each."""
        if self.orientation in _X_IS_MIRRORED:
            pixels = pixels[:, ::-1]
        if self.orientation in _Y_IS_MIRRORED:
            pixels = pixels[::-1]
        if self.orientation in _AXES_ARE_EXCHANGED:
            pixels = pixels.swapaxes(0, 1)
        if pixels.shape[:2] == (self.written_height, self.written_width):
            return pixels
        rows, columns = (
            (2 * np.arange(written) + 1) * found // (2 * written)
            for written, found in zip((self.written_height, self.written_width), pixels.shape, strict=False)
        )
        resized: npt.NDArray[Any] = pixels[rows[:, None], columns]
        return resized


def geometry_of(
    image: AnnotatedImage, picture: CheckedImage, frame: Frame = "upright"
) -> tuple[Geometry, tuple[Reason, ...]]:
    """Finds the plane that an image was annotated in: its claimed size tells stored pixels from upright ones.

    Args:
      image: as annotated.
      picture: as written.
      frame: that is taken where the size does not tell. Most tools show pictures upright.

    Returns:
      The map to the picture as written, and what is to be said of it.

    Raises:
      ImageRefused: the claimed size is that of another picture.
    """
    stored = picture.stored_size
    upright = stored[::-1] if picture.orientation in _AXES_ARE_EXCHANGED else stored
    claimed = (image.width, image.height)
    if claimed not in (stored, upright) and image.unit == "pixels" and None not in claimed:
        detail = f"the annotation is for {claimed[0]}x{claimed[1]} pixels, the picture has {upright[0]}x{upright[1]}"
        raise ImageRefused(Reason.SIZE_MISMATCH, detail)
    reasons: tuple[Reason, ...] = ()
    is_stored = False
    if picture.orientation != 1:
        if stored != upright and claimed in (stored, upright):
            is_stored = claimed == stored
            reasons = (Reason.SIZE_MISMATCH,) if is_stored else ()
        else:  # half turns, mirrors and squares have one size either way
            is_stored = frame == "stored"
            reasons = (Reason.EXIF_AMBIGUOUS,) if image.objects else ()
    orientation = picture.orientation if is_stored else 1
    width, height = (1, 1) if image.unit == "fractions" else stored if is_stored else upright
    area_scale = picture.width * picture.height / (stored[0] * stored[1])
    return Geometry(width, height, picture.width, picture.height, orientation, area_scale), reasons
