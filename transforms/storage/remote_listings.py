"""What lies in remote folders, asked once and kept for as long as its owner works: a listing costs requests."""

from __future__ import annotations

from dataclasses import dataclass, field

from transforms import storage


@dataclass(frozen=True, slots=True)
class FolderNames:
    """The names of the files in a folder, and those of its folders."""

    files: frozenset[str]
    folders: frozenset[str]


@dataclass(slots=True)
class RemoteListings:
    """Names in folders."""

    _found: dict[str, FolderNames] = field(default_factory=dict)
    _is_folder: dict[str, bool] = field(default_factory=dict)

    def names(self, folder: str) -> FolderNames:
        """What is in a folder; nothing, if it is not there."""
        if folder not in self._found:
            start = len(folder.rstrip("/")) + 1
            files, folders = storage.list_folder(folder)
            self._found[folder] = FolderNames(
                frozenset(file.path[start:] for file in files), frozenset(path[start:] for path in folders)
            )
        return self._found[folder]

    def is_folder(self, path: str) -> bool:
        """Whether there is such a folder."""
        if path not in self._is_folder:
            self._is_folder[path] = storage.is_folder(path)
        return self._is_folder[path]
