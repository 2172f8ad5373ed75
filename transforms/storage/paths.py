"""Paths of files that may be remote: what begins with ``scheme://`` is a URL, all else is a local path.

``os.path.join``, ``dirname``, ``basename`` and ``splitext`` take URLs too; what does not is here.
"""

from __future__ import annotations

import os
import posixpath
import re

_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*)://")
_MAGIC = re.compile(r"[*?\[]")
_SHOWN_NAMES = 5


def is_remote(path: str) -> bool:
    """Whether a path is a URL such as ``gs://bucket/folder``."""
    return _SCHEME.match(path) is not None


def scheme_of(path: str) -> str:
    """The scheme of a URL in lower case, or "" for a local path."""
    match = _SCHEME.match(path)
    return match[1].lower() if match else ""


def absolute(path: str) -> str:
    """``os.path.abspath`` for a local path; a URL without ``.``, ``..`` and doubled or closing slashes."""
    match = _SCHEME.match(path)
    if match is None:
        return os.path.abspath(path)
    return f"{match[1].lower()}://{posixpath.normpath('/' + path[match.end() :]).lstrip('/')}"


def normal(path: str) -> str:
    """As ``absolute``, but a relative local path stays one."""
    return absolute(path) if is_remote(path) else os.path.normpath(path)


def canonical(path: str) -> str:
    """The one path that a place has, links followed."""
    return absolute(path) if is_remote(path) else os.path.realpath(path)


def join(folder: str, path: str) -> str:
    """A path that starts from a folder, unless it is a URL or an absolute path itself."""
    return path if is_remote(path) else os.path.join(folder, path)


def relative_name(path: str, folder: str) -> str:
    """The name of a file below a folder, with "/" between folders; both paths are local or both are URLs."""
    if not is_remote(folder):
        return os.path.relpath(path, folder)
    return posixpath.relpath(absolute(path).partition("://")[2], absolute(folder).partition("://")[2])


def missing(path: str) -> str:
    """The sentence that a path does not exist, with what the nearest local folder above it holds instead."""
    if is_remote(path):
        return f"{path} does not exist"
    folder = os.path.dirname(absolute(path))
    while not os.path.isdir(folder):
        folder = os.path.dirname(folder)
    try:
        names = sorted(name for name in os.listdir(folder) if not name.startswith("."))
    except PermissionError:
        return f"{path} does not exist, as far as can be told: {folder} may not be listed"
    shown = [*names[:_SHOWN_NAMES], *(["…"] if len(names) > _SHOWN_NAMES else [])]
    return f"{path} does not exist; {folder} holds {', '.join(shown) or 'nothing'}"


def has_pattern(path: str) -> bool:
    """Whether a path has characters of a glob pattern."""
    return _MAGIC.search(path) is not None


def fixed_folder(pattern: str) -> str:
    """The folder above the first part of a glob pattern that is one."""
    match = _MAGIC.search(pattern)
    return os.path.dirname(pattern[: match.start()] if match else pattern)


def pattern_matcher(pattern: str) -> re.Pattern[str]:
    """Matches the whole paths that a glob pattern means: ``*`` and ``?`` stay in a folder, ``**`` does not."""
    parts: list[str] = []
    place = 0
    while place < len(pattern):
        if pattern.startswith("**/", place):
            parts.append("(?:.*/)?")
            place += 3
        elif pattern.startswith("**", place):
            parts.append(".*")
            place += 2
        elif pattern[place] in "*?":
            parts.append("[^/]*" if pattern[place] == "*" else "[^/]")
            place += 1
        elif pattern[place] == "[" and (end := pattern.find("]", place + 2)) > 0:
            inside = pattern[place + 1 : end].replace("\\", "\\\\")
            parts.append(f"[{'^' + inside[1:] if inside[0] == '!' else inside}]")
            place = end + 1
        else:
            parts.append(re.escape(pattern[place]))
            place += 1
    return re.compile("".join(parts), re.DOTALL)
