"""What the columns of a CSV file of boxes mean, by their names or, without a header, by their values."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from transforms.annotations.table_rows import column_names
from transforms.images.image_names import IMAGE_SUFFIXES

BoxKind = Literal["edges", "corner and size", "centre and size", "list"]

# Names as ``column_names`` gives them, the most telling first.
_IMAGE = (
    "filename imagename imagefile imagefilename filepath imagepath imgpath imgname image img path file frame imageid"
)
_CLASS = "class classname label labelname category categoryname name object objectclass type classid labelid categoryid"
_EDGES = (
    "xmin x1 left x0 minx bboxxmin boxxmin bboxx1 bbxmin xleft bboxleft",
    "ymin y1 top y0 miny bboxymin boxymin bboxy1 bbymin ytop bboxtop upper",
    "xmax x2 right maxx bboxxmax boxxmax bboxx2 bbxmax xright bboxright",
    "ymax y2 bottom maxy bboxymax boxymax bboxy2 bbymax ybottom bboxbottom lower",
)
_CORNER = ("x bboxx boxx", "y bboxy boxy")
_CENTRE = ("xcenter xcentre cx xc centerx centrex bboxxcenter", "ycenter ycentre cy yc centery centrey bboxycenter")
_SIZE = ("bboxwidth boxwidth bboxw boxw width w", "bboxheight boxheight bboxh boxh height h")
_IMAGE_SIZE = ("imagewidth imgwidth imwidth imgw imagew width", "imageheight imgheight imheight imgh imageh height")
_LIST = "bbox box boundingbox"
_FLAGS = {
    "difficult": "difficult isdifficult",
    "truncated": "truncated istruncated",
    "occluded": "occluded isoccluded",
    "is_crowd": "iscrowd crowd",
    "group_of": "isgroupof groupof",
    "depiction": "isdepiction depiction",
}
_BOX_ID = "boxid bboxid annotationid objectid annid"
_SPLIT = "split subset set dataset usage"
# These say that a table is of another format, whatever else it has: Open Images, and VIA.
_OTHER_FORMATS = ({"imageid", "labelname"}, {"regionshapeattributes"})
_NUMBER = re.compile(r"-?\d+([.,]\d*)?([eE][-+]?\d+)?")


@dataclass(frozen=True, slots=True)
class Columns:
    """Where the fields of an object stand in a row, from 0.

    Attributes:
      count: of fields in a row.
      has_header: whether the first row is one.
      image: its name.
      kind: what ``box`` holds: xmin, ymin, xmax, ymax; x, y, width, height of a corner or a centre; or one field with a
        corner and size as a list.
      class_name: None if there is no such column.
      size: width and height of the image.
      flags: attributes of ObjectAnnotation with their columns.
    """

    count: int
    has_header: bool
    image: int
    kind: BoxKind
    box: tuple[int, ...]
    class_name: int | None
    size: tuple[int, int] | None = None
    box_id: int | None = None
    split: int | None = None
    flags: tuple[tuple[str, int], ...] = ()


def columns_of(row: Sequence[str]) -> Columns | None:
    """The meaning of columns from a file's first row, a header or not; None if it is no table of boxes."""
    return _of_header(row) or _of_values(row)


def _of_header(header: Sequence[str]) -> Columns | None:
    places: dict[str, int] = {}
    for index, name in enumerate(column_names(header)):
        places.setdefault(name, index)

    def find(names: str) -> int | None:
        return next((places[name] for name in names.split() if name in places), None)

    def find_all(*names: str) -> tuple[int, ...]:
        found = [place for item in names if (place := find(item)) is not None]
        return tuple(found) if len(found) == len(names) else ()

    if any(names <= places.keys() for names in _OTHER_FORMATS):
        return None
    image = find(_IMAGE)
    kinds: list[tuple[BoxKind, tuple[int, ...]]] = [
        ("edges", find_all(*_EDGES)),
        ("centre and size", find_all(*_CENTRE, *_SIZE)),
        ("corner and size", find_all(*_CORNER, *_SIZE) or find_all(*_EDGES[:2], *_SIZE)),
        ("list", find_all(_LIST)),
    ]
    kind, box = next(((kind, box) for kind, box in kinds if box), ("edges", ()))
    if image is None or not box:
        return None
    size = find_all(*_IMAGE_SIZE)
    flags = tuple((flag, place) for flag, names in _FLAGS.items() if (place := find(names)) is not None)
    return Columns(
        len(header),
        True,
        image,
        kind,
        box,
        find(" ".join(name for name in _CLASS.split() if places.get(name) not in (image, *box))),
        (size[0], size[1]) if size and not set(size) & set(box) else None,
        find(_BOX_ID),
        find(_SPLIT),
        flags,
    )


def _of_values(row: Sequence[str]) -> Columns | None:
    """A row without a header: image, edges, class (keras-retinanet), or image, width, height, class, edges."""
    if not row or not row[0].lower().endswith(IMAGE_SUFFIXES):
        return None
    is_number = [bool(_NUMBER.fullmatch(field)) for field in row]
    if len(row) == 6 and (all(is_number[1:5]) or not any(row[1:])):
        return Columns(6, False, 0, "edges", (1, 2, 3, 4), 5)
    if len(row) == 8 and all(is_number[1:3]) and all(is_number[4:]) and not is_number[3]:
        return Columns(8, False, 0, "edges", (4, 5, 6, 7), 3, (1, 2))
    return None
