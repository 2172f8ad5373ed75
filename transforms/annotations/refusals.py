"""What is wrong with an object, an image or a file, and the rows of it that readers yield."""

from __future__ import annotations

import math
from functools import lru_cache
from typing import Any

from transforms.annotations.fields import FieldError, as_id, clean_class_name, is_text, quote
from transforms.ledger.reasons import Reason
from transforms.records import AnnotatedImage, Box, BoxProblem, Rejection

DUP_IMAGE_REMEDY = "leave all but one out, or give each a source of its own (--sources), where names never meet"


class Refused(FieldError):
    """An object, an image or a file that cannot be used: a reason code and a sentence for the ledger."""

    def __init__(self, reason: Reason, detail: str, class_name: str = ""):
        super().__init__(detail)
        self.reason = reason
        self.detail = detail
        self.class_name = class_name

    def problem(self, position: str, box_id: str = "") -> BoxProblem:
        """The row of the object."""
        return BoxProblem(position, box_id, self.class_name, "dropped", self.reason, self.detail)


def refuse_image(image: AnnotatedImage, reason: Reason, detail: str) -> Rejection:
    """An image that is lost, with all its boxes."""
    return Rejection(
        reason,
        detail,
        file_name=image.file_name,
        image_id=image.image_id,
        problems=image.lost_boxes(reason, detail),
        source=image.source,
        annotation_file=image.annotation_file,
    )


def problem_of(error: FieldError, position: str, class_name: str = "", box_id: str = "") -> BoxProblem:
    """The row of an object that could not be read."""
    reason = error.reason if isinstance(error, Refused) else Reason.FIELD_NOT_NUMBER
    return BoxProblem(position, box_id, class_name, "dropped", reason, str(error))


def as_class_name(value: Any) -> str:
    """A class name, stripped and composed; a number is its digits.

    Raises:
      Refused: there is none, or it is no text.
    """
    return _class_name(value) if type(value) is str else _checked_class_name(value)


@lru_cache(maxsize=4096)  # there are few classes, and many objects of each
def _class_name(text: str) -> str:
    return _checked_class_name(text)


def _checked_class_name(value: Any) -> str:
    name = clean_class_name(value) if isinstance(value, str) else as_id(value)
    if not name:
        raise Refused(Reason.FIELD_MISSING, f"the object has no class name, but {quote(value)}")
    if not is_text(name):
        raise Refused(Reason.NAME_NOT_UNICODE, f"the class name {quote(name)} holds control characters")
    return name


def box_of_size(x: float, y: float, width: float, height: float, *, class_name: str = "") -> Box:
    """A box from its top-left corner and size.

    Raises:
      Refused: a side is zero or negative, which is no swapped edge: nobody knows which one x and y are then.
    """
    if min(width, height) <= 0 and math.isfinite(width + height):
        raise Refused(Reason.BOX_EMPTY, f"width {width:g}, height {height:g}", class_name)
    return Box(x, y, x + width, y + height)
