"""What a verification finds: stable codes, so that users can count and filter on them, and what to do about each."""

from __future__ import annotations

import json
from dataclasses import dataclass
from enum import StrEnum


class Code(StrEnum):
    """What is wrong."""

    # The manifest.
    MANIFEST_MALFORMED = "manifest_malformed"
    MANIFEST_REWRITTEN = "manifest_rewritten"
    FINGERPRINT_MISMATCH = "fingerprint_mismatch"
    COUNT_MISMATCH = "count_mismatch"
    # Files of the folder.
    FILE_MISSING = "file_missing"
    FILE_EXTRA = "file_extra"
    FILE_LEFT_OVER = "file_left_over"
    FILE_UNREADABLE = "file_unreadable"
    FILE_CHANGED = "file_changed"
    DESCRIPTION_DIFFERS = "description_differs"
    # Shards.
    SHARD_SIZE = "shard_size"
    SHARD_DIGEST = "shard_digest"
    SHARD_SWAPPED = "shard_swapped"
    SHARD_FRAMING = "shard_framing"
    # Records.
    RECORD_UNPARSABLE = "record_unparsable"
    KEY_MISSING = "key_missing"
    KEY_UNKNOWN = "key_unknown"
    KEY_KIND = "key_kind"
    VALUE_COUNT = "value_count"
    VALUE_INVALID = "value_invalid"
    BOX_INVALID = "box_invalid"
    LABEL_UNKNOWN = "label_unknown"
    MIRROR_DIFFERS = "mirror_differs"
    SOURCE_ID_REPEATED = "source_id_repeated"
    FILE_NAME_REPEATED = "file_name_repeated"
    IMAGE_DIGEST = "image_digest"
    IMAGE_FORMAT = "image_format"
    IMAGE_SIZE = "image_size"
    IMAGE_UNDECODABLE = "image_undecodable"
    MAP_INVALID = "map_invalid"
    MASK_INVALID = "mask_invalid"
    # Ledger and hand-off.
    LEDGER_ROW = "ledger_row"
    LEDGER_RESULT = "ledger_result"
    GROUND_TRUTH_DIFFERS = "ground_truth_differs"
    # Of the verification itself.
    FINDINGS_OMITTED = "findings_omitted"


Problem = tuple[Code, str]
"""What is wrong with a record, and the detail."""

_COPY_AGAIN = "copy the file again from where the dataset was built, or build it again with --overwrite"
_BUILD_AGAIN = "build the dataset again with --overwrite"
_REPORT = "build the dataset again with --overwrite; if that does not help, the builder has a defect: report it"
REMEDIES = {
    Code.MANIFEST_MALFORMED: _COPY_AGAIN,
    Code.MANIFEST_REWRITTEN: _COPY_AGAIN,
    Code.FINGERPRINT_MISMATCH: _COPY_AGAIN,
    Code.COUNT_MISMATCH: _COPY_AGAIN,
    Code.FILE_MISSING: _COPY_AGAIN,
    Code.FILE_EXTRA: "remove it: readers that list the folder would take it for a part of the dataset",
    Code.FILE_LEFT_OVER: "remove it: an interrupted build left it",
    Code.FILE_UNREADABLE: "look at its permissions and at the disk, then " + _COPY_AGAIN,
    Code.FILE_CHANGED: _COPY_AGAIN,
    Code.DESCRIPTION_DIFFERS: _COPY_AGAIN,
    Code.SHARD_SIZE: _COPY_AGAIN,
    Code.SHARD_DIGEST: _COPY_AGAIN,
    Code.SHARD_SWAPPED: "give each of the files its own name again, or copy both again",
    Code.SHARD_FRAMING: _COPY_AGAIN,
    Code.SOURCE_ID_REPEATED: _REPORT,
    Code.FILE_NAME_REPEATED: _REPORT,
    Code.LEDGER_ROW: _COPY_AGAIN,
    Code.LEDGER_RESULT: _COPY_AGAIN,
    Code.GROUND_TRUTH_DIFFERS: _COPY_AGAIN,
    Code.FINDINGS_OMITTED: "mend those that are listed first",
    Code.IMAGE_UNDECODABLE: _BUILD_AGAIN + " and --image_check=full",
}


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is wrong.

    Attributes:
      code: what, in one word.
      file: where, relative to the dataset folder.
      place: where in the file ("record 3", "splits.train.boxes"), or "".
      detail: what was found and what should be there.
    """

    code: Code
    file: str
    place: str
    detail: str

    @property
    def remedy(self) -> str:
        """What to do. Where no damage in transit explains the finding, it is to build again."""
        return REMEDIES.get(self.code, _REPORT)

    def to_json(self) -> str:
        """The finding as one line."""
        plain = {
            "code": self.code.value,
            "file": self.file,
            "place": self.place,
            "detail": self.detail,
            "remedy": self.remedy,
        }
        return json.dumps(plain, ensure_ascii=False)

    @classmethod
    def from_json(cls, line: str) -> Finding:
        plain = json.loads(line)
        return cls(Code(plain["code"]), plain["file"], plain["place"], plain["detail"])

    def __str__(self) -> str:
        place = f", {self.place}" if self.place else ""
        return f"{self.file}{place}: {self.detail} [{self.code.value}]"
