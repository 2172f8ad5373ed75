"""A set of bad and odd annotation files, made in code: each with the ledger rows that it must have, exactly.

Rows are written short: "written", "repaired REASON ..." or "rejected REASON" for an image or a whole annotation file,
"-REASON" for a box that is dropped and "~REASON" for one that is repaired.
"""

from __future__ import annotations

import json
import unicodedata
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from tests.sample_data import (
    HEIGHT,
    WIDTH,
    coco,
    coco_box,
    coco_image,
    encoded,
    jpeg,
    picture,
    turned_jpeg,
    voc,
    voc_object,
)

Make = Callable[[str, int], bytes]
GOOD_BOX = [5, 6, 10, 10]
HANGUL = "한글"


@dataclass(frozen=True, slots=True)
class BadAnnotation:
    """An annotation file that is bad or odd in one way.

    Attributes:
      kind: what is wrong; cases of one kind differ in where or how much.
      case: the case of that kind.
      suffix: of the file, ".json" for COCO, ".xml" for VOC.
      make: gives the bytes, from a name that no other case has and the first of a range of ids that are its own.
      rows: the rows of the ledger.
      pictures: files that it needs, "@" standing for its name.
    """

    kind: str
    case: str
    suffix: str
    make: Make
    rows: Counter[str]
    pictures: Mapping[str, bytes] = field(default_factory=lambda: {"@.jpg": jpeg()})

    @property
    def name(self) -> str:
        return f"{self.suffix[1:]} {self.kind}: {self.case}"

    def files(self, slug: str) -> dict[str, bytes]:
        return {name.replace("@", slug): data for name, data in self.pictures.items()}


def _rows(rows: Sequence[str] | Counter[str]) -> Counter[str]:
    return Counter(rows)


def _own(value: Any, slug: str, base: int) -> Any:
    """Replaces "@" by the case's name and small ids by ids of its own."""
    if isinstance(value, str):
        return value.replace("@", slug)
    if isinstance(value, list):
        return [_own(item, slug, base) for item in value]
    if isinstance(value, dict):
        return {
            key: base + item
            if key in ("id", "image_id") and isinstance(item, int) and not isinstance(item, bool) and 0 < item < 100
            else _own(item, slug, base)
            for key, item in value.items()
        }
    return value


def _coco_make(content: dict[str, Any], encoding: str = "utf-8", ensure_ascii: bool = False) -> Make:
    def make(slug: str, base: int) -> bytes:
        own = _own({key: content[key] for key in content if key != "categories"}, slug, base)
        text = json.dumps({**own, "categories": content["categories"]}, ensure_ascii=ensure_ascii)
        return text.encode(encoding)

    return make


def coco_case(kind: str, case: str, content: dict[str, Any], *rows: str, **more: Any) -> BadAnnotation:
    return BadAnnotation(kind, case, ".json", _coco_make(content), _rows(rows), **more)


def coco_text(kind: str, case: str, text: str | bytes, *rows: str, **more: Any) -> BadAnnotation:
    """A case given as text: "@" stands for its name, "#1" for the first of its ids."""

    def make(slug: str, base: int) -> bytes:
        if isinstance(text, bytes):
            return text
        return text.replace("@", slug).replace("#1", str(base + 1)).encode("utf-8", "surrogatepass")

    return BadAnnotation(kind, case, ".json", make, _rows(rows), **more)


def coco_object(kind: str, case: str, row: str, **changes: Any) -> BadAnnotation:
    """A good object and one with some changes; "written" beside the row of its box. ``...`` leaves a field out."""
    changed = coco_box(2, 1, GOOD_BOX) | changes
    annotations = [coco_box(1, 1, GOOD_BOX), {key: value for key, value in changed.items() if value is not ...}]
    return coco_case(kind, case, coco([coco_image(1, "@.jpg")], annotations), "written", *row.split())


def coco_entry(kind: str, case: str, rows: Sequence[str], **changes: Any) -> BadAnnotation:
    """An image with one object and some changes to the image's entry."""
    changed = coco_image(1, "@.jpg") | changes
    entry = {key: value for key, value in changed.items() if value is not ...}
    return coco_case(kind, case, coco([entry], [coco_box(1, 1, GOOD_BOX)]), *rows)


def voc_case(
    kind: str, case: str, text: str | bytes, *rows: str, encoding: str = "utf-8", **more: Any
) -> BadAnnotation:
    def make(slug: str, base: int) -> bytes:
        return text if isinstance(text, bytes) else text.replace("@", slug).encode(encoding)

    return BadAnnotation(kind, case, ".xml", make, _rows(rows), **more)


def voc_edges(kind: str, case: str, row: str, *edges: object) -> BadAnnotation:
    """A good object and one with these edges."""
    return voc_case(kind, case, voc("@.jpg", [voc_object(), voc_object("dog", edges)]), "written", *row.split())


def _raw_box(bbox: str) -> str:
    """A COCO file whose numbers are written as given, which ``json.dumps`` would not write."""
    image = f'{{"id": #1, "file_name": "@.jpg", "width": {WIDTH}, "height": {HEIGHT}}}'
    box = f'{{"id": 1, "image_id": #1, "category_id": 1, "bbox": {bbox}}}'
    return f'{{"images": [{image}], "annotations": [{box}], "categories": [{{"id": 1, "name": "cat"}}]}}'


UNREADABLE = "rejected annotation_unreadable"

COCO_BOXES = [
    coco_object("zero side", "width", "-box_empty", bbox=[5, 5, 0, 9]),
    coco_object("zero side", "height", "-box_empty", bbox=[5, 5, 9, 0]),
    coco_object("zero side", "both", "-box_empty", bbox=[5, 5, 0, 0]),
    coco_object("negative side", "width", "-box_empty", bbox=[25, 5, -9, 9]),
    coco_object("negative side", "height", "-box_empty", bbox=[5, 25, 9, -9]),
    coco_object("hair-thin box", "width", "-box_empty", bbox=[5, 5, 1e-9, 9]),
    coco_object("outside", "to the right", "-box_outside", bbox=[WIDTH + 1, 5, 9, 9]),
    coco_object("outside", "to the left", "-box_outside", bbox=[-20, 5, 9, 9]),
    coco_object("outside", "above", "-box_outside", bbox=[5, -20, 9, 9]),
    coco_object("outside", "below", "-box_outside", bbox=[5, HEIGHT, 9, 9]),
    coco_object("outside", "but for a fifth", "-box_outside", bbox=[WIDTH - 2, 5, 10, 9]),
    coco_object("over the border", "right", "~box_clipped", bbox=[WIDTH - 5, 5, 10, 9]),
    coco_object("over the border", "all sides", "~box_clipped", bbox=[-2, -2, WIDTH + 4, HEIGHT + 4]),
    coco_object("over the border", "by rounding", "~box_clipped", bbox=[WIDTH - 10, 5, 10.002, 9]),
    coco_text("not finite", "NaN", _raw_box("[NaN, 5, 9, 9]"), "written", "-box_not_finite"),
    coco_text("not finite", "NaN width", _raw_box("[5, 5, NaN, 9]"), "written", "-box_not_finite"),
    coco_text("not finite", "Infinity", _raw_box("[5, 5, 9, Infinity]"), "written", "-box_not_finite"),
    coco_text("not finite", "-Infinity", _raw_box("[5, 5, -Infinity, 9]"), "written", "-box_not_finite"),
    coco_text("not finite", "1e999", _raw_box("[1e999, 5, 9, 9]"), "written", "-box_not_finite"),
    coco_text("number beyond float64", "400 digits", _raw_box(f"[{10**400}, 5, 9, 9]"), "written", "-box_not_finite"),
    coco_text("number beyond float32", "1e39", _raw_box("[1e39, 5, 1e39, 9]"), "written", "-box_outside"),
    coco_text("overflow of an edge", "1.7e308", _raw_box("[1.7e308, 5, 1.7e308, 9]"), "written", "-box_not_finite"),
    coco_object("bbox missing", "no key", "-field_missing", bbox=...),
    coco_object("bbox missing", "null", "-field_missing", bbox=None),
    coco_object("bbox of a wrong length", "none", "-field_not_number", bbox=[]),
    coco_object("bbox of a wrong length", "3", "-field_not_number", bbox=[5, 5, 9]),
    coco_object("bbox of a wrong length", "5", "-field_not_number", bbox=[5, 5, 9, 9, 9]),
    coco_object("bbox of a wrong type", "text", "-field_not_number", bbox="5 5 9 9"),
    coco_object("bbox of a wrong type", "object", "-field_not_number", bbox={"x": 5}),
    coco_object("bbox of a wrong type", "number", "-field_not_number", bbox=5),
    coco_object("coordinate no number", "a pair", "-field_not_number", bbox=["(88, 100)", 5, 9, 9]),
    coco_object("coordinate no number", "decimal comma", "-field_not_number", bbox=["12,5", 5, 9, 9]),
    coco_object("coordinate no number", "empty", "-field_not_number", bbox=["", 5, 9, 9]),
    coco_object("coordinate no number", "null", "-field_not_number", bbox=[None, 5, 9, 9]),
    coco_object("coordinate no number", "true", "-field_not_number", bbox=[True, 5, 9, 9]),
    coco_object("coordinate no number", "nested list", "-field_not_number", bbox=[[5], 5, 9, 9]),
    coco_object("coordinate no number", "Python's underscore", "-field_not_number", bbox=["1_0", 5, 9, 9]),
    coco_object("coordinates as text", "digits", "", bbox=["5", " 5 ", "9.5", "9"]),
]

_TWO = [coco_image(1, "@.jpg"), coco_image(2, "@b.jpg")]
_TWO_PICTURES = {"@.jpg": jpeg(), "@b.jpg": jpeg(seed=1)}
_ONE = [coco_image(1, "@.jpg")]
_ONE_BOX = [coco_box(1, 1, GOOD_BOX)]
_LOST = "-image_rejected"
_NFC, _NFD = f"@{unicodedata.normalize('NFC', HANGUL)}.jpg", f"@{unicodedata.normalize('NFD', HANGUL)}.jpg"

COCO_OBJECTS = [
    coco_object("unknown class", "id that is not declared", "-unknown_class", category_id=77),
    coco_object("unknown class", "no key", "-unknown_class", category_id=...),
    coco_object("unknown class", "null", "-unknown_class", category_id=None),
    coco_object("unknown class", "true", "-unknown_class", category_id=True),
    coco_object("class id as text", "digits", "", category_id="3"),
    coco_object("class id as float", "3.0", "", category_id=3.0),
    coco_case(
        "only unknown classes",
        "image stays as a negative",
        coco(_ONE, [coco_box(1, 1, GOOD_BOX, 77)]),
        "written",
        "-unknown_class",
    ),
    coco_case(
        "annotation id used twice",
        "numbers",
        coco(_ONE, [coco_box(1, 1, GOOD_BOX), coco_box(1, 1, [1, 1, 5, 5])]),
        "written",
        *["~dup_ann_id"] * 2,
    ),
    coco_case(
        "annotation id used twice",
        "texts",
        coco(_ONE, [coco_box("a", 1, GOOD_BOX), coco_box("a", 1, [1, 1, 5, 5]), coco_box("b", 1, [2, 2, 5, 5])]),
        "written",
        *["~dup_ann_id"] * 2,
    ),
    coco_case(
        "annotation id used twice",
        "one of them outside",
        coco(_ONE, [coco_box(1, 1, GOOD_BOX), coco_box(1, 1, [99, 1, 5, 5])]),
        "written",
        *["~dup_ann_id"] * 2,
        "-box_outside",
    ),
    coco_object("annotation id odd", "missing", "", id=...),
    coco_object("annotation id odd", "null", "", id=None),
    coco_object("annotation id odd", "two signs", "", id="--5"),
    coco_object("annotation id odd", "5,000 digits as text", "", id="1" * 5000),
    coco_object("annotation id odd", "beyond int64", "", id=2**70),
    coco_object("annotation id odd", "superscript digit", "", id="²"),
    coco_object("annotation id odd", "negative", "", id=-5),
    coco_object("annotation for no image", "unknown id", "-orphan_annotation", image_id=999_999_999),
    coco_object("annotation for no image", "no key", "-orphan_annotation", image_id=...),
    coco_object("annotation for no image", "null", "-orphan_annotation", image_id=None),
    coco_object("annotation for no image", "true", "-orphan_annotation", image_id=True),
    coco_case("annotation no object", "null", coco(_ONE, [*_ONE_BOX, None]), "written", "-field_missing"),
    coco_case("annotation no object", "number", coco(_ONE, [*_ONE_BOX, 5]), "written", "-field_missing"),
    coco_case("annotation no object", "list", coco(_ONE, [*_ONE_BOX, [1]]), "written", "-field_missing"),
    coco_text(
        "key twice",
        "in an annotation",
        _raw_box('[5, 5, 9, 9], "bbox": [1, 1, 2, 2]'),
        "written",
        "-json_duplicate_key",
    ),
    coco_text(
        "key twice",
        "in an image",
        _raw_box("[5, 5, 9, 9]").replace('"@.jpg"', '"@.jpg", "file_name": "@b.jpg"'),
        "rejected json_duplicate_key",
        "-orphan_annotation",
    ),
    coco_object("area odd", "negative", "", area=-5),
    coco_object("area odd", "text", "", area="large"),
    coco_object("area odd", "null", "", area=None),
    coco_object("area odd", "NaN", "", area=float("nan")),
    coco_object("area odd", "Infinity", "", area=float("inf")),
    coco_object("iscrowd odd", "text", "", iscrowd="1"),
    coco_object("iscrowd odd", "2", "", iscrowd=2),
    coco_object("iscrowd odd", "null", "", iscrowd=None),
    *[
        coco_object("segmentation broken", case, "", segmentation=segmentation)
        for case, segmentation in {
            "two points": [[1, 1, 2, 2]],
            "none": [],
            "an empty polygon": [[]],
            "an odd length": [[1, 1, 2, 2, 3, 3, 4]],
            "far outside": [[2e8, 2e8, 3e8, 2e8, 3e8, 3e8]],
            "run lengths that are short": {"counts": [5], "size": [HEIGHT, WIDTH]},
            "run lengths of 10 gigapixels": {"counts": "abc", "size": [100_000, 100_000]},
            "text": "none",
        }.items()
    ],
    coco_case(
        "too many boxes",
        "10,001",
        coco(_ONE, [coco_box(1000 + n, 1, GOOD_BOX) for n in range(10_001)]),
        "rejected too_many_boxes",
        *[_LOST] * 10_001,
    ),
]

_PEOPLE = [{"id": 1, "name": "person", "keypoints": ["nose", "tail"]}, {"id": 2, "name": "cat"}]


def _keypoints(case: str, row: str, keypoints: object, category_id: int = 1) -> BadAnnotation:
    boxes = [coco_box(1, 1, GOOD_BOX, keypoints=[5, 6, 2, 7, 8, 1]), coco_box(2, 1, GOOD_BOX, category_id)]
    boxes[1]["keypoints"] = keypoints
    return coco_case("keypoints odd", case, coco(_ONE, boxes, _PEOPLE), "written", *row.split())


COCO_RICH = [
    _keypoints("none", "", []),
    _keypoints("all unlabelled", "", [0] * 6),
    _keypoints("not divisible by 3", "~keypoints_malformed", [5, 6, 2, 7]),
    _keypoints("text", "~keypoints_malformed", "5 6 2"),
    _keypoints("one too few", "~keypoints_undeclared", [5, 6, 2]),
    _keypoints("one too many", "~keypoints_undeclared", [5, 6, 2] * 3),
    _keypoints("of a class without", "~keypoints_undeclared", [5, 6, 2], 2),
    _keypoints("NaN", "~keypoint_invalid", [float("nan"), 6, 2, 7, 8, 1]),
    _keypoints("visibility 7", "~keypoint_invalid", [5, 6, 7, 7, 8, 1]),
    _keypoints("outside", "~keypoint_outside", [500, 6, 2, 7, 8, 1]),
    _keypoints("on the border", "~keypoint_clipped", [WIDTH + 0.5, 6, 2, 7, 8, 1]),
    _keypoints("three ways", "~keypoint_clipped ~keypoint_outside", [WIDTH + 1, 6, 2, 7, -9, 1]),
    coco_case(
        "keypoints declared badly",
        "a name twice",
        coco(_ONE, _ONE_BOX, [{"id": 1, "name": "cat", "keypoints": ["nose", "nose"]}]),
        "written",
        "rejected keypoints_malformed",
    ),
    coco_case(
        "caption odd",
        "null",
        coco(_ONE, [*_ONE_BOX, {"id": 2, "image_id": 1, "caption": None}]),
        "written",
        "rejected field_missing",
    ),
    coco_case(
        "caption odd",
        "of no image",
        coco(_ONE, [*_ONE_BOX, {"id": 2, "image_id": 99, "caption": "A cat."}]),
        "written",
        "rejected orphan_annotation",
    ),
    coco_entry("absent classes odd", "unknown id", ["repaired image_label_dropped"], neg_category_ids=[1, 77]),
    coco_entry("absent classes odd", "no list", ["written"], neg_category_ids=7),
    coco_case(
        "panoptic segments odd",
        "without id, class or box",
        coco(
            _ONE,
            [
                {
                    "image_id": 1,
                    "file_name": "@.png",
                    "segments_info": [
                        {"category_id": 1, "bbox": GOOD_BOX},
                        {"id": 201, "category_id": 77, "bbox": GOOD_BOX},
                        {"id": 202, "category_id": 1},
                    ],
                }
            ],
        ),
        "written",
        "-field_missing",
        "-unknown_class",
        "-field_missing",
    ),
]

COCO_IMAGES = [
    coco_case(
        "image id used twice",
        "with boxes",
        coco([_TWO[0], _TWO[1] | {"id": 1}], _ONE_BOX),
        *["rejected dup_image_id"] * 2,
        "-dup_image_id",
        pictures=_TWO_PICTURES,
    ),
    coco_case(
        "image name used twice",
        "the same name",
        coco([_TWO[0], _TWO[1] | {"file_name": "@.jpg"}], _ONE_BOX),
        *["rejected dup_image_name"] * 2,
        "-dup_image_name",
    ),
    coco_case(
        "image name used twice",
        "spelt in two ways",
        coco([_TWO[0], _TWO[1] | {"file_name": "./@.jpg"}], _ONE_BOX),
        *["rejected dup_image_name"] * 2,
        "-dup_image_name",
    ),
    coco_case(
        "image name used twice",
        "in two Unicode forms",
        coco([coco_image(1, _NFC), coco_image(2, _NFD)], _ONE_BOX),
        *["rejected dup_image_name"] * 2,
        "-dup_image_name",
        pictures={_NFC: jpeg()},
    ),
    *[
        coco_case("image no object", case, coco([*_ONE, entry], _ONE_BOX), "written", "rejected field_missing")
        for case, entry in {"null": None, "number": 5, "text": "a.jpg", "list": []}.items()
    ],
    *[
        coco_entry("image name missing", case, ["rejected field_missing", "-orphan_annotation"], file_name=name)
        for case, name in {"no key": ..., "null": None, "number": 5, "blank": "  "}.items()
    ],
    *[
        coco_case(
            "image id missing",
            case,
            coco([{"file_name": "@.jpg"} | entry], _ONE_BOX),
            "rejected field_missing",
            "-orphan_annotation",
        )
        for case, entry in {"no key": {}, "null": {"id": None}, "true": {"id": True}, "half": {"id": 1.5}}.items()
    ],
    *[
        coco_case(
            "image id odd", case, coco([coco_image(image_id, "@.jpg")], [coco_box(1, other, GOOD_BOX)]), "written"
        )
        for case, image_id, other in [
            ("zero", 0, 0),
            ("negative", -7, -7),
            ("beyond int64", 2**70, 2**70),
            ("float and int", 7_000_000.0, 7_000_000),
            ("text and int", "7000001", 7_000_001),
            ("words", "photo @", "photo @"),
            ("5,000 digits as text", "1" * 5000, "1" * 5000),
        ]
    ],
    coco_entry("image missing", "no such file", ["rejected image_missing", _LOST], file_name="@-not-there.jpg"),
    coco_entry(
        "image missing", "name of 5,000 letters", ["rejected image_missing", _LOST], file_name="@" * 700 + ".jpg"
    ),
    coco_entry("image missing", "other extension", ["rejected image_missing", _LOST], file_name="@.png"),
    coco_entry("image missing", "upper case", ["rejected image_missing", _LOST], file_name="@.JPG"),
    coco_entry("name that no file has", "NUL", ["rejected name_not_unicode", _LOST], file_name="@\0.jpg"),
    coco_text(
        "name that no file has",
        "lone surrogate",
        _raw_box("[5, 5, 9, 9]").replace("@.jpg", "@\\ud800.jpg"),
        "rejected image_missing",
        _LOST,
    ),
    coco_text(
        "name that no file has",
        "lone surrogate in a folder",
        _raw_box("[5, 5, 9, 9]").replace("@.jpg", "\\ud800/@.jpg"),
        "rejected image_missing",
        _LOST,
    ),
    coco_case(
        "name is a folder",
        "of the images",
        coco([coco_image(1, "@folder")], _ONE_BOX),
        "rejected not_a_file",
        _LOST,
        pictures={"@folder/readme.txt": b""},
    ),
    coco_entry("path outside the root", "climbing", ["rejected path_outside_root", _LOST], file_name="../../@no.jpg"),
    coco_entry("path outside the root", "absolute", ["rejected path_outside_root", _LOST], file_name="/etc/@no.jpg"),
    coco_entry("path outside the root", "URL", ["rejected path_outside_root", _LOST], file_name="gs://b/@no.jpg"),
    coco_entry("name from Windows", "drive", ["written"], file_name="C:\\Users\\kim\\사진\\@.jpg"),
    coco_entry("name from Windows", "climbing", ["written"], file_name="..\\images\\@.jpg"),
    coco_entry("name with needless parts", "dots", ["written"], file_name=".//x/../@.jpg"),
    coco_entry("name without extension", "", ["repaired name_completed"], file_name="@"),
    *[
        coco_entry("size of another picture", case, ["rejected size_mismatch", _LOST], width=width, height=height)
        for case, (width, height) in {
            "larger": (WIDTH * 2, HEIGHT * 2),
            "by one pixel": (WIDTH + 1, HEIGHT),
            "sides exchanged": (HEIGHT, WIDTH),
        }.items()
    ],
    *[
        coco_entry("size that says nothing", case, ["written"], width=width, height=height)
        for case, (width, height) in {
            "zero": (0, 0),
            "negative": (-WIDTH, -HEIGHT),
            "null": (None, None),
            "words": ("wide", "high"),
            "half pixels": (WIDTH + 0.5, HEIGHT + 0.5),
            "list": ([WIDTH], [HEIGHT]),
        }.items()
    ],
    coco_entry("size as text", "digits", ["written"], width=str(WIDTH), height=f"{HEIGHT}.0"),
    coco_case(
        "turned picture",
        "boxes in the stored frame",
        coco(_ONE, _ONE_BOX),
        "repaired exif_transposed size_mismatch",
        pictures={"@.jpg": turned_jpeg(6)},
    ),
    coco_case(
        "turned picture",
        "boxes in the upright frame",
        coco([coco_image(1, "@.jpg", HEIGHT, WIDTH)], _ONE_BOX),
        "repaired exif_transposed",
        pictures={"@.jpg": turned_jpeg(6)},
    ),
    coco_case(
        "turned picture",
        "half turn, which the size cannot tell",
        coco(_ONE, _ONE_BOX),
        "repaired exif_transposed exif_ambiguous",
        pictures={"@.jpg": turned_jpeg(3)},
    ),
    *[
        coco_case(f"picture {kind}", "", coco(_ONE, _ONE_BOX), f"rejected {reason}", _LOST, pictures={"@.jpg": data})
        for kind, reason, data in [
            ("without bytes", "image_empty", b""),
            ("that is text", "format_unsupported", b"404 not found"),
            ("cut in half", "image_unreadable", jpeg()[: len(jpeg()) // 2]),
        ]
    ],
    coco_case(
        "picture of another format",
        "GIF named .jpg",
        coco(_ONE, _ONE_BOX),
        "repaired format_converted",
        pictures={"@.jpg": encoded(picture(), "GIF")},
    ),
    coco_case("image without annotation", "", coco(_ONE), "written"),
]

COCO_FILES = [
    *[
        coco_text("file unreadable", case, text, UNREADABLE)
        for case, text in {
            "no bytes": b"",
            "null": b"null",
            "list": b'[{"images": []}]',
            "neither images nor annotations": b'{"info": {}, "categories": []}',
            "HTML": b"<html><body>404</body></html>",
            "pointer of Git LFS": b"version https://git-lfs.github.com/spec/v1\noid sha256:1234\nsize 5\n",
            "compressed": b"\x1f\x8b\x08\0\0\0\0\0\0\x03abc",
            "cut": _raw_box("[5, 5, 9, 9]")[:-30].encode(),
            "cut in a number": b'{"images": [], "annotations": [{"bbox": [1, 2',
            "more behind the end": _raw_box("[5, 5, 9, 9]").encode() + b"}",
            "single quotes": b"{'images': []}",
            "comma at the end": b'{"images": [], "annotations": [],}',
            "comment": b'{"images": [] /* none */, "annotations": []}',
            "NUL bytes": b'{"images": [\0\0\0], "annotations": []}',
            "nested too deeply": b'{"images": ' + b"[" * 100_000 + b"]" * 100_000 + b"}",
            "number of 5,000 digits": b'{"images": [{"id": ' + b"1" * 5000 + b"}]}",
            "no encoding fits": b'{"images": [{"id": 1, "file_name": "\xff\xff\xff"}]}',
            "UTF-16 cut in a letter": '{"images": [], "annotations": []}'.encode("utf-16")[:-1],
        }.items()
    ],
    coco_text("array missing", "images is an object", '{"images": {}, "annotations": []}', "rejected field_missing"),
    coco_text("array missing", "images is null", '{"images": null, "annotations": []}', "rejected field_missing"),
    *[
        coco_case("class list unreadable", case, coco(_ONE, _ONE_BOX, categories), UNREADABLE)
        for case, categories in {
            "no name": [{"id": 1}],
            "no id": [{"name": "cat"}],
            "blank name": [{"id": 1, "name": " "}],
            "one id, two names": [{"id": 1, "name": "cat"}, {"id": 1, "name": "dog"}],
            "control characters": [{"id": 1, "name": "\x1b[31mcat"}],
        }.items()
    ],
    coco_text(
        "class list unreadable",
        "lone surrogate",
        _raw_box("[5, 5, 9, 9]").replace('"cat"', '"\\ud800"'),
        UNREADABLE,
    ),
    coco_case(
        "class no object",
        "null",
        coco(_ONE, _ONE_BOX, [None, {"id": 1, "name": "cat"}]),
        "rejected field_missing",
        "written",
    ),
    *[
        coco_case("class name odd", case, coco(_ONE, _ONE_BOX, categories), "written")
        for case, categories in {
            "white space": [{"id": 1, "name": " cat \n"}],
            "two ids, one name": [{"id": 1, "name": "cat"}, {"id": 2, "name": "cat "}],
            "upper case": [{"id": 1, "name": "CAT"}],
            "decomposed Hangul": [{"id": 1, "name": unicodedata.normalize("NFD", "고양이")}],
            "full-width": [{"id": 1, "name": "ｃａｔ"}],
            "spreadsheet formula": [{"id": 1, "name": "=1+1"}],
            "quotes and backslashes": [{"id": 1, "name": 'a"b\\c'}],
        }.items()
    ],
    coco_case(
        "class id odd",
        "two signs",
        coco(_ONE, _ONE_BOX, [{"id": "--1", "name": "x"}, {"id": 1, "name": "cat"}]),
        "written",
    ),
    coco_case(
        "class id odd",
        "5,000 digits",
        coco(_ONE, _ONE_BOX, [{"id": "1" * 5000, "name": "x"}, {"id": 1, "name": "cat"}]),
        "written",
    ),
    coco_text(
        "arrays in another order",
        "classes last",
        '{"annotations": [{"id": 1, "image_id": #1, "category_id": 1, "bbox": [5, 5, 9, 9]}], '
        '"info": {"images": 1}, "images": [{"id": #1, "file_name": "@.jpg"}], '
        '"categories": [{"id": 1, "name": "cat"}]}',
        "written",
    ),
    coco_text(
        "array twice",
        "images",
        '{"images": [{"id": #1, "file_name": "@.jpg"}], "annotations": [], '
        '"images": [{"id": 1#1, "file_name": "@b.jpg"}]}',
        *["written"] * 2,
        pictures=_TWO_PICTURES,
    ),
    *[
        BadAnnotation(
            "encoding",
            encoding,
            ".json",
            _coco_make(coco([coco_image(1, f"@{HANGUL}.jpg")], _ONE_BOX, [{"id": 1, "name": HANGUL}]), encoding),
            _rows(["repaired encoding_cp949" if encoding in ("cp949", "euc-kr") else "written"]),
            {f"@{HANGUL}.jpg": jpeg()},
        )
        for encoding in ("cp949", "euc-kr", "utf-8-sig", "utf-16")
    ],
]

_DTD = '<!DOCTYPE annotation [<!ENTITY a "aaaaaaaaaa">{more}]>'
_LAUGHS = "".join(f'<!ENTITY {"abcdefghi"[n]} "{("&" + "abcdefghi"[n - 1] + ";") * 10}">' for n in range(1, 9))

VOC_BOXES = [
    voc_edges("edges swapped", "x", "~box_swapped", 25, 6, 15, 16),
    voc_edges("edges swapped", "y", "~box_swapped", 5, 26, 15, 16),
    voc_edges("edges swapped", "both, and over the border", "~box_swapped ~box_clipped", WIDTH + 2, 26, 15, 16),
    voc_edges("zero side", "width", "-box_empty", 5, 6, 5, 16),
    voc_edges("zero side", "both", "-box_empty", 5, 6, 5, 6),
    voc_edges("outside", "to the right", "-box_outside", WIDTH, 6, WIDTH + 9, 16),
    voc_edges("over the border", "right", "~box_clipped", 30, 6, WIDTH + 5, 16),
    voc_edges("not finite", "nan", "-box_not_finite", "nan", 6, 15, 16),
    voc_edges("not finite", "inf", "-box_not_finite", 5, 6, "inf", 16),
    voc_edges("not finite", "1e999", "-box_not_finite", 5, 6, 15, "1e999"),
    *[
        voc_edges("coordinate no number", case, "-field_not_number", text, 6, 15, 16)
        for case, text in {
            "empty": "",
            "None": "None",
            "a pair": "(88, 100)",
            "decimal comma": "12,5",
            "hexadecimal": "0x10",
            "unit": "12px",
        }.items()
    ],
    voc_edges("coordinates odd", "fractions of pixels", "", "5.70000076293945", 6, 15.5, 16),
    voc_edges("coordinates odd", "white space", "", "\n 5 \t", 6, 15, 16),
    voc_edges("coordinates odd", "full-width digits", "", "５", 6, 15, 16),
    voc_case("edge missing", "ymin", voc("@.jpg", [voc_object().replace("ymin", "top")]), "written", "-field_missing"),
    voc_case("bndbox missing", "", voc("@.jpg", ["<object><name>cat</name></object>"]), "written", "-field_missing"),
    voc_case(
        "bndbox missing",
        "empty",
        voc("@.jpg", ["<object><name>cat</name><bndbox/></object>"]),
        "written",
        "-field_missing",
    ),
    voc_case(
        "edges in another order",
        "xmin xmax ymin ymax",
        voc(
            "@.jpg",
            [
                "<object><bndbox><xmin>5</xmin><xmax>15</xmax><ymin>6</ymin><ymax>16</ymax></bndbox><name>cat</name></object>"
            ],
        ),
        "written",
    ),
]

_NAMELESS = "<object><bndbox><xmin>5</xmin><ymin>5</ymin><xmax>9</xmax><ymax>9</ymax></bndbox></object>"

VOC_OBJECTS = [
    voc_case("class missing", "no name", voc("@.jpg", [_NAMELESS]), "written", "-field_missing"),
    voc_case("class missing", "blank name", voc("@.jpg", [voc_object(" \n ")]), "written", "-field_missing"),
    voc_case(
        "class name no text",
        "control character",
        voc("@.jpg", [voc_object("\x9b31mcat")]),
        "written",
        "-name_not_unicode",
    ),
    voc_case("class name odd", "white space", voc("@.jpg", [voc_object(" cat\n")]), "written"),
    voc_case("class name odd", "upper case", voc("@.jpg", [voc_object("Cat")]), "written"),
    voc_case(
        "flags odd", "Unspecified", voc("@.jpg", [voc_object(more="<difficult>Unspecified</difficult>")]), "written"
    ),
    voc_case("flags odd", "2", voc("@.jpg", [voc_object(more="<truncated>2</truncated><pose/>")]), "written"),
    voc_case("no object", "a negative", voc("@.jpg"), "written"),
    voc_case(
        "parts of objects",
        "are no objects",
        voc("@.jpg", [voc_object(more="<part><name>head</name><bndbox><xmin>1</xmin></bndbox></part>")]),
        "written",
    ),
]

VOC_IMAGES = [
    *[
        voc_case("size that says nothing", case, voc("@.jpg", [voc_object()], size), "written")
        for case, size in {"absent": None, "zero": (0, 0), "words": ("wide", "high"), "empty": ("", "")}.items()
    ],
    voc_case(
        "size of another picture", "half", voc("@.jpg", [voc_object()], (20, 15)), "rejected size_mismatch", _LOST
    ),
    voc_case(
        "turned picture",
        "boxes in the stored frame",
        voc("@.jpg", [voc_object()]),
        "repaired exif_transposed size_mismatch",
        pictures={"@.jpg": turned_jpeg(8)},
    ),
    voc_case("file name missing", "stem of the XML", voc(None, [voc_object()]), "repaired name_completed"),
    voc_case("image missing", "no such file", voc("@no.jpg", [voc_object()]), "rejected image_missing", _LOST),
    voc_case(
        "path outside the root", "climbing", voc("../@no.jpg", [voc_object()]), "rejected path_outside_root", _LOST
    ),
    voc_case("name from Windows", "drive", voc("D:\\work\\@.jpg", [voc_object()]), "written"),
    voc_case(
        "path of the labeller's machine",
        "is not looked at",
        voc("@.jpg", [voc_object()]).replace("<size>", "<path>/etc/passwd</path><size>"),
        "written",
    ),
]

VOC_FILES = [
    *[
        voc_case("file unreadable", case, text, UNREADABLE)
        for case, text in {
            "no bytes": b"",
            "cut": voc("@.jpg", [voc_object()])[:-20],
            "wrong root": "<annotations><object/></annotations>",
            "two roots": voc("@.jpg") * 2,
            "JSON": b'{"images": []}',
            "zeros": b"\0" * 100,
            "entity that nobody declares": "<annotation><filename>&xxe;</filename></annotation>",
            "control character": "<annotation><filename>\x01</filename></annotation>",
            "reference to a control character": "<annotation><filename>&#0;</filename></annotation>",
            "no encoding fits": b"<annotation><filename>\xff\xff</filename></annotation>",
            "codec that is none of text": b'<?xml version="1.0" encoding="hex"?><annotation>\xff</annotation>',
            "encoding that nobody knows": b'<?xml version="1.0" encoding="klingon"?><annotation>\xff</annotation>',
        }.items()
    ],
    voc_case(
        "nested too deeply",
        "200,000 elements",
        "<annotation>" + "<a>" * 200_000 + "</a>" * 200_000 + "</annotation>",
        "repaired name_completed",
    ),
    voc_case("file too large", "over 16 MiB", voc("@.jpg") + " " * (16 << 20), "rejected annotation_too_large"),
    voc_case("DTD", "harmless", _DTD.format(more="") + voc("@.jpg"), "rejected xml_dtd_refused"),
    voc_case(
        "DTD",
        "billion laughs",
        _DTD.format(more=_LAUGHS) + "<annotation><filename>&i;</filename></annotation>",
        "rejected xml_dtd_refused",
    ),
    voc_case(
        "DTD",
        "quadratic blow-up",
        f'<!DOCTYPE annotation [<!ENTITY a "{"a" * 50_000}">]>'
        f"<annotation><filename>{'&a;' * 1000}</filename></annotation>",
        "rejected xml_dtd_refused",
    ),
    voc_case(
        "DTD",
        "file as entity",
        '<!DOCTYPE annotation [<!ENTITY a SYSTEM "file:///etc/passwd">]>'
        "<annotation><filename>&a;</filename></annotation>",
        "rejected xml_dtd_refused",
    ),
    voc_case(
        "DTD",
        "from elsewhere",
        '<!DOCTYPE annotation SYSTEM "http://localhost/a.dtd"><annotation/>',
        "rejected xml_dtd_refused",
    ),
    *[
        voc_case(
            "encoding",
            case,
            declaration + voc(f"@{HANGUL}.jpg", [voc_object(HANGUL)]),
            row,
            encoding=encoding,
            pictures={f"@{HANGUL}.jpg": jpeg()},
        )
        for case, declaration, encoding, row in [
            ("cp949, declared", '<?xml version="1.0" encoding="cp949"?>', "cp949", "repaired encoding_cp949"),
            ("euc-kr, declared", "<?xml version='1.0' encoding='euc-kr'?>", "euc-kr", "repaired encoding_cp949"),
            ("cp949, not declared", "", "cp949", "repaired encoding_cp949"),
            ("cp949, but UTF-8 declared", '<?xml version="1.0" encoding="utf-8"?>', "cp949", "repaired encoding_cp949"),
            ("UTF-8, but euc-kr declared", '<?xml version="1.0" encoding="euc-kr"?>', "utf-8", "written"),
            ("UTF-8 with a byte order mark", '<?xml version="1.0"?>', "utf-8-sig", "written"),
            ("UTF-16", '<?xml version="1.0" encoding="utf-16"?>', "utf-16", "written"),
        ]
    ],
    voc_case(
        "encoding",
        "Latin-1, declared",
        '<?xml version="1.0" encoding="iso-8859-1"?>' + voc("@.jpg", [voc_object("café")]),
        "written",
        encoding="latin-1",
    ),
]

CASES: list[BadAnnotation] = [
    *COCO_BOXES,
    *COCO_OBJECTS,
    *COCO_RICH,
    *COCO_IMAGES,
    *COCO_FILES,
    *VOC_BOXES,
    *VOC_OBJECTS,
    *VOC_IMAGES,
    *VOC_FILES,
]
KINDS = frozenset((case.suffix, case.kind) for case in CASES)
