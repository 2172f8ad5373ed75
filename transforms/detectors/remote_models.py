"""A model in remote storage as a local copy while it is looked at or loaded: TensorFlow reads local files."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import PurePosixPath
from tempfile import TemporaryDirectory, gettempdir

from transforms import storage
from transforms.detectors.label_maps import LabelMapRefused, is_label_file
from transforms.detectors.model_files import GRAPH_SUFFIXES, PART_FOLDERS, SAVED_MODEL_FILE
from transforms.detectors.refusal import ModelRefused

_PREFIX = "boxmill-model-"
_CHUNK_BYTES = 1 << 20


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
    with TemporaryDirectory(prefix=_PREFIX) as folder:
        local, local_map = model, label_map
        if storage.is_remote(model):
            try:
                local = _copy_model(storage.absolute(model), folder, with_label_map=label_map is None)
            except OSError as error:
                raise ModelRefused(f"Model {model}: it cannot be read: {error.strerror}.") from error
        if label_map is not None and storage.is_remote(label_map):
            try:
                local_map = _copy(label_map, folder)
            except OSError as error:
                raise LabelMapRefused(f"Label map {label_map}: cannot be read: {error.strerror}.") from error
        try:
            yield local, local_map
        except (ModelRefused, LabelMapRefused) as error:
            raise type(error)(with_urls(str(error))) from error


def with_urls(text: str) -> str:
    """A text with URLs in place of the paths of their copies."""
    return re.sub(rf"{re.escape(gettempdir())}/{_PREFIX}[^/]+/([^/]+)/", r"\1://", text)


def _place(url: str, folder: str) -> str:
    """Where below a local folder the copy of a remote file or folder is."""
    return os.path.join(folder, storage.absolute(url).replace("://", "/", 1))


def _copy(url: str, folder: str) -> str:
    """Copies a file; returns where to."""
    place = _place(url, folder)
    os.makedirs(os.path.dirname(place), exist_ok=True)
    with storage.open_file(url) as file, open(place, "wb") as copy:
        shutil.copyfileobj(file, copy, _CHUNK_BYTES)
    return place


def _copy_model(url: str, folder: str, *, with_label_map: bool) -> str:
    """Copies what makes up a model; returns where the model is, also where there is none."""
    is_file = storage.exists(url)
    for part in _parts(url, is_file=is_file):
        _copy(part, folder)
    if not is_file:
        _show(url, folder)
    near = os.path.dirname(url) if is_file else url
    for place in (near, os.path.dirname(near)) if with_label_map else ():
        labels = [file.path for file in storage.list_folder(place)[0] if is_label_file(_name(file.path))]
        for label_file in labels:
            _copy(label_file, folder)
        if labels or _is_bucket(place):
            break
    return _place(url, folder)


def _show(url: str, folder: str) -> None:
    """Makes what else is in a remote folder visible, empty, for errors that say what is there."""
    files, folders = storage.list_folder(url)
    for path in folders:
        os.makedirs(_place(path, folder), exist_ok=True)
    for file in files:
        place = _place(file.path, folder)
        os.makedirs(os.path.dirname(place), exist_ok=True)
        open(place, "ab").close()


def _is_bucket(url: str) -> bool:
    return "/" not in url.partition("://")[2]


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
