"""Numbers of tracks at the end of YOLO lines, where they can be told from scores and coordinates.

Ultralytics writes what it tracks (``model.track(save_txt=True)``) as its other results, with the number of the track
after them: ``class x y width height number`` or ``… score number``; after polygons and keypoints likewise. No file
says that it does: six numbers after a class may as well be a triangle, and one after a box its score. Only a whole
number from 2 is neither. So the last numbers of a file's lines are those of tracks if all are whole, from 1 and
different, as those of one picture are, and one is above 1. Where all that a file has is a 1, the other files of its
folder are asked.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from functools import cached_property

from transforms.annotations.text_encoding import decode_text
from transforms.annotations.yolo_dataset import YoloDataset, find_dataset
from transforms.records import Companions

_BOX_COLUMNS = 5
# Spread over a folder: the first frames of a video may all have one object.
_ASKED_FILES = 100
_WHOLE = re.compile(r"([1-9][0-9]{0,17})(\.0*)?")


class LineEnds:
    """The last numbers of a label file's lines; looked at when first asked for, since most files have plain boxes."""

    def __init__(self, lines: Sequence[str], dataset: YoloDataset, companions: Companions | None):
        self._lines = lines
        self._plain_columns = _plain_columns(dataset)
        self._companions = companions

    def split(self, fields: list[str]) -> tuple[list[str], str]:
        """The fields of a line without the number of a track and the score before it, and that number or ""."""
        if len(fields) <= _BOX_COLUMNS or len(fields) == self._plain_columns or not self._are_tracks:
            return fields, ""
        *fields, number = fields
        has_keypoints = self._plain_columns != _BOX_COLUMNS
        is_scored = len(fields) == self._plain_columns + 1 if has_keypoints else len(fields) % 2 == 0
        whole = _WHOLE.fullmatch(number)
        return fields[:-1] if is_scored else fields, whole[1] if whole else ""

    @cached_property
    def _are_tracks(self) -> bool:
        ends = _ends(self._lines, self._plain_columns)
        is_told = _tell(ends)
        if is_told is None and ends and self._companions is not None:
            return self._companions.once(_folder_has_tracks)
        return bool(is_told)


def _plain_columns(dataset: YoloDataset) -> int:
    """Columns of a line with a box, and keypoints if there are any."""
    keypoints, dimensions = dataset.keypoint_shape
    return _BOX_COLUMNS + keypoints * dimensions


def _ends(lines: Iterable[str], plain_columns: int) -> list[str]:
    """The last fields of those lines that are longer than a box; of equal lines one."""
    rows = (line.split() for line in dict.fromkeys(map(str.strip, lines)))
    return [row[-1] for row in rows if len(row) > _BOX_COLUMNS and len(row) != plain_columns]


def _tell(ends: Sequence[str]) -> bool | None:
    """Whether the last fields of a file's lines are numbers of tracks; None if they may as well be others."""
    wholes = {whole[1] for end in ends if (whole := _WHOLE.fullmatch(end))}
    if len(wholes) < len(ends):
        return False
    return True if wholes - {"1"} else None


def _folder_has_tracks(companions: Companions) -> bool:
    """Whether files of a folder have tracks, and none has something else after its boxes."""
    dataset = companions.once(find_dataset)
    columns = _plain_columns(dataset if isinstance(dataset, YoloDataset) else YoloDataset())
    names = [name for name in companions.names() if name.lower().endswith(".txt")]
    found = set()
    for name in names[:: max(1, len(names) // _ASKED_FILES)]:
        try:
            text, _ = decode_text(companions.read(name) or b"")
        except UnicodeDecodeError:
            continue
        found.add(_tell(_ends(text.splitlines(), columns)))
    return True in found and False not in found
