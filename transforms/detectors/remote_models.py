"""A model in remote storage as a local copy while it is looked at or loaded: TensorFlow reads local files."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import PurePosixPath
from tempfile import TemporaryDirectory

from transforms import storage
from transforms.detectors.label_maps import LabelMapRefused, is_label_file
from transforms.detectors.model_files import GRAPH_SUFFIXES, PART_FOLDERS, SAVED_MODEL_FILE
from transforms.detectors.refusal import ModelRefused


@contextmanager
def local_model(model: str, label_map: str | None = None) -> Iterator[tuple[str, str | None]]:
    """Local paths of a model and of its label map, if one is given; copies of remote ones end with the block.

    Of a remote folder, what makes up the model is copied, and label files from where ``find_label_map`` looks.

    Raises:
      ModelRefused, LabelMapRefused: it cannot be copied. Such errors within the block name what was copied by its URL.
    """
    if not storage.is_remote(model) and not storage.is_remote(label_map or ""):
        yield model, label_map
        return
    with TemporaryDirectory(prefix="boxmill-model-") as folder:
        copies = _Copies(folder)
        local, local_map = model, label_map
        if storage.is_remote(model):
            try:
                local = copies.copy_model(model, with_label_map=label_map is None)
            except OSError as error:
                raise ModelRefused(f"Model {model}: it cannot be read: {error.strerror}.") from error
        if label_map is not None and storage.is_remote(label_map):
            try:
                local_map = copies.copy(label_map)
            except OSError as error:
                raise LabelMapRefused(f"Label map {label_map}: cannot be read: {error.strerror}.") from error
        try:
            yield local, local_map
        except (ModelRefused, LabelMapRefused) as error:
            raise type(error)(copies.with_urls(str(error))) from error


class _Copies:
    """Remote files below a local folder, each under the path that its URL has."""

    def __init__(self, folder: str) -> None:
        self._folder = folder
        self._places: dict[str, str] = {}  # local folder of a scheme → the beginning of its URLs

    def place_of(self, url: str) -> str:
        """Where the copy of a file or folder is."""
        scheme, _, rest = storage.absolute(url).partition("://")
        place = os.path.join(self._folder, scheme)
        self._places[f"{place}/"] = f"{scheme}://"
        return os.path.join(place, rest)

    def with_urls(self, text: str) -> str:
        """A text with URLs in place of the paths of copies."""
        for place, url in self._places.items():
            text = text.replace(place, url)
        return text

    def copy(self, url: str) -> str:
        """Copies a file; returns where to."""
        place = self.place_of(url)
        os.makedirs(os.path.dirname(place), exist_ok=True)
        with storage.open_file(url) as file, open(place, "wb") as copy:
            shutil.copyfileobj(file, copy, 1 << 20)
        return place

    def copy_model(self, url: str, *, with_label_map: bool) -> str:
        """Copies what makes up a model; returns where the model is, also where there is none."""
        url = storage.absolute(url)
        is_file = storage.exists(url)
        for part in _parts(url, is_file=is_file):
            self.copy(part)
        folder = os.path.dirname(url) if is_file else url
        if not is_file:
            self._show(folder)
        for near in (folder, os.path.dirname(folder)):
            if not with_label_map or not storage.is_remote(near):
                break
            labels = [file.path for file in storage.list_folder(near)[0] if is_label_file(_name(file.path))]
            for label_file in labels:
                self.copy(label_file)
            with_label_map = not labels
        return self.place_of(url)

    def _show(self, url: str) -> None:
        """Makes what else is in a folder visible, empty, for errors that say what is there."""
        files, folders = storage.list_folder(url)
        for folder in folders:
            os.makedirs(self.place_of(folder), exist_ok=True)
        for file in files:
            place = self.place_of(file.path)
            os.makedirs(os.path.dirname(place), exist_ok=True)
            open(place, "ab").close()


def _parts(url: str, *, is_file: bool) -> list[str]:
    """The files that make up the model at ``url``; see ``model_files.find_model``."""
    if is_file:
        return _of_saved_model(url) if _name(url) == SAVED_MODEL_FILE else [url]
    for folder in (url, f"{url}/saved_model"):
        graph = f"{folder}/{SAVED_MODEL_FILE}"
        if storage.exists(graph):
            return _of_saved_model(graph)
    files, _ = storage.list_folder(url)
    return [file.path for file in files if PurePosixPath(file.path).suffix.lower() in GRAPH_SUFFIXES]


def _of_saved_model(graph: str) -> list[str]:
    below = (file for name in PART_FOLDERS for file in storage.walk(f"{os.path.dirname(graph)}/{name}"))
    return [graph, *(file.path for file in below)]


def _name(url: str) -> str:
    return url.rpartition("/")[2]
