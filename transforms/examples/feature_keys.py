"""The table of keys: what stands in a record, of which kind, and how many values it has.

One record serves the TF Object Detection API, Model Garden and TFDS. The encoder, the TFDS metadata and ``verify`` all
go by this table.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from transforms.examples.wire_format import BYTES, FLOAT, INT64, Kind

Count = Literal["one", "at most one", "per object", "four per object", "K per object", "per image label", "any"]


@dataclass(frozen=True, slots=True)
class FeatureKey:
    """A key of the record.

    Attributes:
      kind: of list that holds its values.
      count: "one" value an image, or some an object in the order of the objects (K: see ``keypoints``), or one for
        each class that the image is said to have, or any number.
      optional: absent from datasets whose sources say nothing of it.
    """

    kind: Kind
    count: Count
    optional: bool = False


ENCODED = "image/encoded"
FORMAT = "image/format"
FILE_NAME = "image/filename"
SOURCE_ID = "image/source_id"
SHA256 = "image/key/sha256"
SOURCE = "image/origin"
HEIGHT = "image/height"
WIDTH = "image/width"
YMIN = "image/object/bbox/ymin"
XMIN = "image/object/bbox/xmin"
YMAX = "image/object/bbox/ymax"
XMAX = "image/object/bbox/xmax"
LABEL = "image/object/class/label"
TEXT = "image/object/class/text"
AREA = "image/object/area"
IS_CROWD = "image/object/is_crowd"
DIFFICULT = "image/object/difficult"
TRUNCATED = "image/object/truncated"
OCCLUDED = "image/object/occluded"
GROUP_OF = "image/object/group_of"
DEPICTION = "image/object/depiction"
VIEW = "image/object/view"
WEIGHT = "image/object/weight"
MASK = "image/object/mask"
MASK_WEIGHT = "image/object/mask/weight"
TRACK = "image/object/track/label"
KEYPOINT_X = "image/object/keypoint/x"
KEYPOINT_Y = "image/object/keypoint/y"
KEYPOINT_VISIBILITY = "image/object/keypoint/visibility"
KEYPOINT_TEXT = "image/object/keypoint/text"
KEYPOINT_NUMBER = "image/object/keypoint/num"
CAPTION = "image/caption"
IMAGE_TEXT = "image/class/text"
IMAGE_LABEL = "image/class/label"
IMAGE_CONFIDENCE = "image/class/confidence"
NEGATIVE_IDS = "image/neg_category_ids"
NOT_EXHAUSTIVE_IDS = "image/not_exhaustive_category_ids"
CATEGORY_MAP = "image/panoptic/category_mask"
INSTANCE_MAP = "image/panoptic/instance_mask"
SEMANTIC_MAP = "image/segmentation/class/encoded"
TFDS_BBOX = "objects/bbox"
TFDS_LABEL = "objects/label"
TFDS_IS_CROWD = "objects/is_crowd"

FEATURE_KEYS: dict[str, FeatureKey] = {
    ENCODED: FeatureKey(BYTES, "one"),
    FORMAT: FeatureKey(BYTES, "one"),
    FILE_NAME: FeatureKey(BYTES, "one"),
    SOURCE_ID: FeatureKey(BYTES, "one"),
    SHA256: FeatureKey(BYTES, "one"),
    SOURCE: FeatureKey(BYTES, "one", optional=True),  # the source's name; only where there are several sources
    HEIGHT: FeatureKey(INT64, "one"),
    WIDTH: FeatureKey(INT64, "one"),
    YMIN: FeatureKey(FLOAT, "per object"),
    XMIN: FeatureKey(FLOAT, "per object"),
    YMAX: FeatureKey(FLOAT, "per object"),
    XMAX: FeatureKey(FLOAT, "per object"),
    LABEL: FeatureKey(INT64, "per object"),
    TEXT: FeatureKey(BYTES, "per object"),
    AREA: FeatureKey(FLOAT, "per object"),
    IS_CROWD: FeatureKey(INT64, "per object"),
    DIFFICULT: FeatureKey(INT64, "per object", optional=True),
    TRUNCATED: FeatureKey(INT64, "per object", optional=True),
    OCCLUDED: FeatureKey(INT64, "per object", optional=True),
    GROUP_OF: FeatureKey(INT64, "per object", optional=True),
    DEPICTION: FeatureKey(INT64, "per object", optional=True),
    VIEW: FeatureKey(BYTES, "per object", optional=True),
    WEIGHT: FeatureKey(FLOAT, "per object", optional=True),
    MASK: FeatureKey(BYTES, "per object", optional=True),
    MASK_WEIGHT: FeatureKey(FLOAT, "per object", optional=True),
    TRACK: FeatureKey(INT64, "per object", optional=True),
    KEYPOINT_X: FeatureKey(FLOAT, "K per object", optional=True),
    KEYPOINT_Y: FeatureKey(FLOAT, "K per object", optional=True),
    KEYPOINT_VISIBILITY: FeatureKey(INT64, "K per object", optional=True),
    KEYPOINT_TEXT: FeatureKey(BYTES, "K per object", optional=True),
    KEYPOINT_NUMBER: FeatureKey(INT64, "per object", optional=True),
    CAPTION: FeatureKey(BYTES, "any", optional=True),
    IMAGE_TEXT: FeatureKey(BYTES, "per image label", optional=True),
    IMAGE_LABEL: FeatureKey(INT64, "per image label", optional=True),
    IMAGE_CONFIDENCE: FeatureKey(FLOAT, "per image label", optional=True),
    NEGATIVE_IDS: FeatureKey(INT64, "any", optional=True),
    NOT_EXHAUSTIVE_IDS: FeatureKey(INT64, "any", optional=True),
    CATEGORY_MAP: FeatureKey(BYTES, "at most one", optional=True),
    INSTANCE_MAP: FeatureKey(BYTES, "at most one", optional=True),
    SEMANTIC_MAP: FeatureKey(BYTES, "at most one", optional=True),
    TFDS_BBOX: FeatureKey(FLOAT, "four per object"),
    TFDS_LABEL: FeatureKey(INT64, "per object"),
    TFDS_IS_CROWD: FeatureKey(INT64, "per object"),
}

OPTIONAL_KEYS = frozenset(key for key, feature in FEATURE_KEYS.items() if feature.optional)
"""Keys that a dataset has if one of its records has something to say under them."""

OPTIONAL_FLAGS = {
    DIFFICULT: "difficult",
    TRUNCATED: "truncated",
    OCCLUDED: "occluded",
    GROUP_OF: "group_of",
    DEPICTION: "depiction",
}
"""Optional 0/1 keys and the attribute of ObjectAnnotation that each is taken from."""

KEYPOINTS = (KEYPOINT_X, KEYPOINT_Y, KEYPOINT_VISIBILITY, KEYPOINT_TEXT, KEYPOINT_NUMBER)
"""Where a class of the dataset has keypoints, each record has all of these."""
