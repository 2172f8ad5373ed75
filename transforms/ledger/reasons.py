"""Every reason code that a ledger row can carry: stable strings, so that users can count and filter on them."""

from enum import StrEnum


class Reason(StrEnum):
    """Why a box or an image was repaired, dropped or rejected, or only remarked upon."""

    # Boxes dropped.
    BOX_EMPTY = "box_empty"
    BOX_OUTSIDE = "box_outside"
    BOX_NOT_FINITE = "box_not_finite"
    FIELD_NOT_NUMBER = "field_not_number"
    FIELD_MISSING = "field_missing"
    SHAPE_UNSUPPORTED = "shape_unsupported"
    FIELD_COUNT = "field_count"
    DUP_BOX = "dup_box"
    UNKNOWN_CLASS = "unknown_class"
    CLASS_DROPPED = "class_dropped"
    ORPHAN_ANNOTATION = "orphan_annotation"
    IMAGE_REJECTED = "image_rejected"
    # Boxes repaired.
    BOX_SWAPPED = "box_swapped"
    BOX_CLIPPED = "box_clipped"
    DUP_ANN_ID = "dup_ann_id"
    # Objects that lose a part: their boxes stay.
    MASK_UNREADABLE = "mask_unreadable"
    KEYPOINTS_MALFORMED = "keypoints_malformed"
    KEYPOINTS_UNDECLARED = "keypoints_undeclared"
    KEYPOINT_INVALID = "keypoint_invalid"
    KEYPOINT_OUTSIDE = "keypoint_outside"
    KEYPOINT_CLIPPED = "keypoint_clipped"
    # Annotation files.
    ANNOTATION_UNREADABLE = "annotation_unreadable"
    ANNOTATION_TOO_LARGE = "annotation_too_large"
    JSON_DUPLICATE_KEY = "json_duplicate_key"
    XML_DTD_REFUSED = "xml_dtd_refused"
    ENCODING_CP949 = "encoding_cp949"
    # Images rejected.
    DUP_IMAGE_ID = "dup_image_id"
    DUP_IMAGE_NAME = "dup_image_name"
    IMAGE_MISSING = "image_missing"
    PATH_OUTSIDE_ROOT = "path_outside_root"
    NOT_A_FILE = "not_a_file"
    NAME_NOT_UNICODE = "name_not_unicode"
    IMAGE_EMPTY = "image_empty"
    IMAGE_UNREADABLE = "image_unreadable"
    IMAGE_TOO_LARGE = "image_too_large"
    FORMAT_UNSUPPORTED = "format_unsupported"
    EXIF_ROTATED = "exif_rotated"
    SIZE_MISMATCH = "size_mismatch"
    TOO_MANY_BOXES = "too_many_boxes"
    EXAMPLE_TOO_LARGE = "example_too_large"
    PANOPTIC_REPEATED = "panoptic_repeated"
    MAP_MISSING = "map_missing"
    MAP_UNREADABLE = "map_unreadable"
    MAP_SIZE = "map_size"
    MAP_TOO_MANY = "map_too_many"
    # Images repaired.
    SOURCE_ID_HASHED = "source_id_hashed"
    NAME_COMPLETED = "name_completed"
    FORMAT_CONVERTED = "format_converted"
    EXIF_TRANSPOSED = "exif_transposed"
    EXIF_AMBIGUOUS = "exif_ambiguous"
    IMAGE_CLASS_UNKNOWN = "image_class_unknown"
    MAP_SEGMENTS_DIFFER = "map_segments_differ"
    # Not counted among the images read: left out by the user's own cap, or only remarked upon.
    LEFT_OUT = "left_out"
    IMAGE_UNLISTED = "image_unlisted"
