"""Finding annotation files: by path, folder or pattern; telling their format from their content."""

from __future__ import annotations

import fnmatch
import glob
import hashlib
import os
import re
import stat
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import cache
from heapq import nsmallest
from typing import NamedTuple

from transforms import storage
from transforms.annotations.formats import FORMATS, AnnotationFormat
from transforms.storage.paths import fixed_folder, has_pattern, pattern_matcher

HEAD_BYTES = 1 << 16
_THREADS, _REMOTE_THREADS = 16, 64
# A line end or a byte order mark.
_BLANK_BYTES = 3
# Names of files that are found in many datasets and hold no annotations, whatever the format.
OTHER_FILES = ("readme*", "license*", "licence*", "notice*", "requirements*.txt")
_DATASET_FILES = {"dataset_info.json", "features.json"}


class AnnotationsNotFound(ValueError):
    """The annotations named by the user are not there, or are of no known format; the message says what to do."""


@dataclass(frozen=True, slots=True)
class AnnotationFile:
    """An annotation file.

    Attributes:
      path: to open it.
      relative: to the root of the annotations; names it in the ledger.
      format: name of its format, or "" if none claims it.
      bytes, modified, sha256: of the file.
    """

    path: str
    relative: str
    format: str
    bytes: int
    modified: float
    sha256: str


def find_annotations(patterns: Sequence[str], format_name: str, most_opened: int | None = None) -> list[AnnotationFile]:
    """Finds the annotation files that the user named, in the order of their relative names.

    Args:
      patterns: files, folders (searched with all below them) or glob patterns. A name that exists is taken
        literally, whatever characters it has.
      format_name: of a format, or "auto" to tell each file's from its content.
      most_opened: to be quick, only so many files of each ending are opened, spread by hash, and only their first bytes
        are read. The formats of others are guessed from these, and digests say nothing.

    Raises:
      AnnotationsNotFound: nothing is there, or nothing of a known format.
    """
    formats = [FORMATS[format_name]] if format_name != "auto" else list(FORMATS.values())
    found: dict[str, _Match] = {}
    for pattern in patterns:
        matches = list(_expand_any(pattern, formats))
        if not matches:
            raise AnnotationsNotFound(_nothing_found(pattern, formats))
        found.update((match.path, match) for match in matches)
    opened = list(found.values())
    if most_opened is not None:
        opened = _spread(opened, most_opened)
    is_any_remote = any(match.status is not None for match in opened)
    with ThreadPoolExecutor(_REMOTE_THREADS if is_any_remote else _THREADS) as executor:
        files = list(executor.map(lambda match: _describe(match, format_name, most_opened is None), opened))
    if len(opened) < len(found):
        paths = {match.path for match in opened}
        files += _guessed([match for match in found.values() if match.path not in paths], files)
    if not any(file.format for file in files):
        names = ", ".join(file.path for file in files[:3])
        raise AnnotationsNotFound(
            f"no known annotation format in {names}; the formats are {', '.join(FORMATS)}: name one with --format"
        )
    return sorted(_with_formats_of_neighbours(files), key=lambda file: (file.relative, file.path))


class _Match(NamedTuple):
    """A file that a pattern means; of a remote one, what its listing said."""

    path: str
    relative: str
    status: storage.FileStatus | None = None


def _expand_any(pattern: str, formats: Sequence[AnnotationFormat]) -> Iterator[_Match]:
    return (_expand_remote if storage.is_remote(pattern) else _expand)(pattern, formats)


def _expand(pattern: str, formats: Sequence[AnnotationFormat]) -> Iterator[_Match]:
    """Yields the files that a local pattern means; hidden files and folders are passed over."""
    if os.path.isfile(pattern):
        yield _Match(pattern, os.path.basename(pattern))
    elif os.path.isdir(pattern):
        for folder, folders, names in os.walk(pattern):
            if set(names) >= _DATASET_FILES:
                folders.clear()
                names = _shards(names)
            folders[:] = [name for name in folders if not name.startswith(".")]
            for name in names:
                if _claimants(name, formats) and not name.startswith("."):
                    path = os.path.join(folder, name)
                    relative = os.path.relpath(path, pattern)
                    if not is_companion(relative):
                        yield _Match(path, relative)
    else:
        fixed = pattern.split("*")[0].split("?")[0].split("[")[0]
        root = os.path.dirname(fixed)
        for path in glob.iglob(pattern, recursive=True):
            if os.path.isfile(path):
                yield _Match(path, os.path.relpath(path, root or "."))


def _expand_remote(pattern: str, formats: Sequence[AnnotationFormat]) -> Iterator[_Match]:
    """As ``_expand``, of a URL."""
    if (file := storage.status(pattern)) is not None:
        yield _Match(pattern, os.path.basename(pattern), file)
        return
    folder = storage.absolute(pattern)
    by_folder: defaultdict[str, dict[str, storage.FileStatus]] = defaultdict(dict)
    for file in storage.walk(folder):
        place, _, name = storage.relative_name(file.path, folder).rpartition("/")
        by_folder[place][name] = file
    datasets = [place for place, names in by_folder.items() if names.keys() >= _DATASET_FILES]
    for place, files in by_folder.items():
        if any(part.startswith(".") for part in place.split("/")) or _is_below(place, datasets):
            continue
        for name in _shards(files) if place in datasets else files:
            relative = f"{place}/{name}" if place else name
            if _claimants(name, formats) and not name.startswith(".") and not is_companion(relative):
                yield _Match(files[name].path, relative, files[name])
    if not by_folder and has_pattern(pattern):
        root, matcher = storage.absolute(fixed_folder(pattern)), pattern_matcher(pattern)
        for file in storage.walk(root):
            if matcher.fullmatch(file.path):
                yield _Match(file.path, storage.relative_name(file.path, root), file)


def _is_below(place: str, folders: Iterable[str]) -> bool:
    return any(place != folder and (not folder or place.startswith(folder + "/")) for folder in folders)


def _shards(names: Iterable[str]) -> list[str]:
    """The TFRecord files of a dataset of TFDS or ours: they hold all that its other files say."""
    return [name for name in names if FORMATS["tfrecord"].claims_name(name)]


def _claimants(name: str, formats: Iterable[AnnotationFormat]) -> list[AnnotationFormat]:
    return [item for item in formats if item.claims_name(name)]


@cache
def _companion_patterns() -> re.Pattern[str]:
    """Matches names, with their folders or without, of files that hold no annotations."""
    patterns = [*OTHER_FILES, *(pattern for item in FORMATS.values() for pattern in item.companions)]
    return re.compile("|".join(f"(?:.*/)?{fnmatch.translate(pattern)}" for pattern in patterns))


def is_companion(relative: str) -> bool:
    """Whether a file of this name goes with annotations of some format, or with any data, and holds none itself."""
    return bool(_companion_patterns().match(relative.lower()))


def _nothing_found(pattern: str, formats: Sequence[AnnotationFormat]) -> str:
    if storage.is_folder(pattern):
        suffixes = sorted({suffix for item in formats for suffix in item.suffixes})
        sentence = f"--annotations={pattern} is a folder without any annotation file ({', '.join(suffixes)})"
        has_others = len(formats) < len(FORMATS) and any(True for _ in _expand_any(pattern, list(FORMATS.values())))
        return f"{sentence}; files of other formats are in it: leave --format out" if has_others else sentence
    if glob.has_magic(pattern):
        return f"--annotations={pattern} matches no file"
    return f"--annotations={storage.missing(pattern)}"


def _spread(matches: Iterable[_Match], most: int) -> list[_Match]:
    """At most so many of each ending, those whose names have the smallest hashes."""
    by_suffix: defaultdict[str, list[_Match]] = defaultdict(list)
    for match in matches:
        by_suffix[os.path.splitext(match.path)[1].lower()].append(match)
    return [match for found in by_suffix.values() for match in nsmallest(most, found, key=_hash_of_name)]


def _hash_of_name(match: _Match) -> bytes:
    return hashlib.blake2b(match.relative.encode("utf-8", "surrogateescape"), digest_size=8, person=b"sample").digest()


def _guessed(matches: Iterable[_Match], opened: Iterable[AnnotationFile]) -> list[AnnotationFile]:
    """Files that are not opened, with the format that most of those with their ending have."""
    by_suffix: defaultdict[str, Counter[str]] = defaultdict(Counter)
    for file in opened:
        by_suffix[_folder_and_suffix(file)[1]][file.format] += 1
    formats = {suffix: counter.most_common(1)[0][0] for suffix, counter in by_suffix.items()}
    files = []
    for match in matches:
        size, modified, _ = _size_and_time(match)
        name = formats.get(os.path.splitext(match.path)[1].lower(), "")
        files.append(AnnotationFile(match.path, match.relative, name, size, modified, ""))
    return files


def _size_and_time(match: _Match) -> tuple[int, float, bool]:
    """Bytes, modification time, and whether it is a regular file."""
    if match.status is not None:
        return match.status.bytes, match.status.modified, True
    status = os.stat(match.path)
    return status.st_size, status.st_mtime, stat.S_ISREG(status.st_mode)


def _describe(match: _Match, format_name: str, is_whole: bool) -> AnnotationFile:
    path, relative = match.path, match.relative
    size, modified, is_regular = _size_and_time(match)
    if not is_regular:  # a pipe or a device has no end, maybe: it is listed, never opened
        return AnnotationFile(path, relative, "", 0, modified, "")
    with storage.open_file(path) as file:
        head = file.read(HEAD_BYTES)
        digest = hashlib.sha256(head)
        while is_whole and (chunk := file.read(1 << 20)):
            digest.update(chunk)
    name = format_name if format_name != "auto" else _format_of(path, head)
    return AnnotationFile(path, relative, name, size, modified, digest.hexdigest())


def _format_of(path: str, head: bytes) -> str:
    """The one format that claims a file, or "".

    Raises:
      AnnotationsNotFound: several claim it; which, is the user's to say.
    """
    claims = [item.name for item in _claimants(os.path.basename(path), FORMATS.values()) if item.sniff(head)]
    if len(claims) > 1:
        raise AnnotationsNotFound(f"{path} may be {' or '.join(claims)}: name the format with --format")
    return claims[0] if claims else ""


def _with_formats_of_neighbours(files: Sequence[AnnotationFile]) -> list[AnnotationFile]:
    """Gives files that say nothing of their format that of the files beside them, or else of all others.

    In formats that keep a file for each image an empty file is a picture without objects, wherever it lies; and a file
    whose every line is damaged still is about a picture, if it lies among others.
    """
    by_folder: defaultdict[tuple[str, str], set[str]] = defaultdict(set)
    by_suffix: defaultdict[str, set[str]] = defaultdict(set)
    for file in files:
        if file.format:
            folder, suffix = _folder_and_suffix(file)
            by_folder[folder, suffix].add(file.format)
            by_suffix[suffix].add(file.format)

    def completed(file: AnnotationFile) -> AnnotationFile:
        if file.format or not file.sha256:
            return file
        folder, suffix = _folder_and_suffix(file)
        beside = by_folder[folder, suffix] or (by_suffix[suffix] if file.bytes <= _BLANK_BYTES else set())
        formats = [name for name in beside if FORMATS[name].is_file_per_image]
        return replace(file, format=formats[0]) if len(formats) == 1 else file

    return [completed(file) for file in files]


def _folder_and_suffix(file: AnnotationFile) -> tuple[str, str]:
    return os.path.dirname(file.path), os.path.splitext(file.path)[1].lower()
