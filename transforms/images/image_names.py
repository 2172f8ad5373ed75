"""What an annotation calls an image: one key for each image, and the places under the root where it may lie.

All of this is text work: no file is touched, so a key is the same on every machine.
"""

from __future__ import annotations

import contextlib
import os
import re
import unicodedata
from collections.abc import Iterator
from pathlib import PurePosixPath, PureWindowsPath

_DRIVE = re.compile(r"^[A-Za-z]:")
# Names that are their own key, as most are: ASCII, without white space, "\\", ":", and parts of dots alone.
_PLAIN = re.compile(r"(?:[\w@%+=,()~-][\w.@%+=,()~-]*)(?:/[\w@%+=,()~-][\w.@%+=,()~-]*)*", re.ASCII)
IMAGE_SUFFIXES = (".jpg", ".jpeg", ".png", ".bmp", ".gif", ".webp", ".tif", ".tiff", ".heic", ".heif", ".avif")
IMAGE_FOLDERS = ("images", "JPEGImages")


def name_parts(file_name: str) -> tuple[list[str], bool]:
    """Splits a name into folders and file, of POSIX or Windows form.

    Returns:
      The parts without "." and with inner ".." resolved, and whether the name left the root: it was absolute, had a
      drive or a URL scheme, or climbed above its start.
    """
    if "\\" in file_name or _DRIVE.match(file_name):
        path: PureWindowsPath | PurePosixPath = PureWindowsPath(file_name)
    else:
        path = PurePosixPath(file_name)
    left_root = bool(path.anchor) or "://" in file_name
    parts: list[str] = []
    for part in path.parts[1:] if path.anchor else path.parts:
        if part != "..":
            parts.append(part)
        elif parts:
            parts.pop()
        else:
            left_root = True
    return parts, left_root


def is_plain_image_name(file_name: str) -> bool:
    """Whether a name is its own key and has an image's extension: nothing need be looked up for it."""
    return bool(_PLAIN.fullmatch(file_name)) and file_name.lower().endswith(IMAGE_SUFFIXES)


def unicode_name(name: str) -> str:
    """A name on disk as text in NFC; parts of it whose bytes are not UTF-8 (unzipped from Windows) are read as CP949.

    What is neither stays as the file system gives it, with lone surrogates.
    """
    if name.isascii():
        return name
    return "/".join(map(_unicode_part, name.split("/")))


def _unicode_part(part: str) -> str:
    try:
        part.encode()
    except UnicodeEncodeError:
        with contextlib.suppress(UnicodeError):
            part = os.fsencode(part).decode("cp949")
    return unicodedata.normalize("NFC", part)


def image_key(file_name: str) -> str:
    """The key that splits, shards and duplicates go by: the relative name in NFC with "/" between folders.

    The key of a name that leaves the root is what remains without its drive and leading "..".
    """
    if _PLAIN.fullmatch(file_name):
        return file_name
    parts, _ = name_parts(unicodedata.normalize("NFC", file_name.strip()))
    return "/".join(parts)


def candidate_names(file_name: str) -> Iterator[str]:
    """Relative names under the root to look for, best first, made as they are asked for; none climbs out of it.

    A plain relative name has one candidate, itself: matching it by a shorter suffix would take another folder's
    image for it, though the image may lie in a folder of images within its folder. A name of some labeller's machine
    ("C:\\Users\\kim\\a.jpg", "../images/a.jpg") has its suffixes, longest first.
    """
    if _PLAIN.fullmatch(file_name):
        yield file_name
        place, slash, base = file_name.rpartition("/")
        yield from (f"{place}{slash}{folder}/{base}" for folder in IMAGE_FOLDERS)
        return
    parts, left_root = name_parts(file_name)
    suffixes = ["/".join(parts[start:]) for start in range(len(parts) if left_root else 1)]
    if parts and not left_root:
        suffixes += ["/".join([*parts[:-1], folder, parts[-1]]) for folder in IMAGE_FOLDERS]
    if "\\" in file_name or _DRIVE.match(file_name):  # on POSIX systems also letters of a name like any others
        suffixes.insert(0, file_name)
    yield from (suffix for suffix in suffixes if suffix and ".." not in suffix.split("/"))
