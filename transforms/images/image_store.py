"""Image files under one root, and nothing outside it, whatever an annotation names: by which names they are found."""

from __future__ import annotations

import unicodedata
from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import NamedTuple

from transforms.images.image_names import IMAGE_SUFFIXES, candidate_names, name_parts, unicode_name
from transforms.ledger.reasons import Reason
from transforms.ledger.refusal import Refusal

MAX_IMAGE_BYTES = 256 << 20
USUAL_SUFFIXES = (".jpg", ".png", ".jpeg", ".JPG")
_SUFFIX_FORMS = (*IMAGE_SUFFIXES, *(suffix.upper() for suffix in IMAGE_SUFFIXES))


class ImageRefused(Exception):
    """An image that cannot be part of a dataset: a reason code and a sentence for the ledger."""

    def __init__(self, reason: Reason, detail: str):
        super().__init__(f"{reason}: {detail}")
        self.reason = reason
        self.detail = detail

    @property
    def refusal(self) -> Refusal:
        """What it says."""
        return Refusal(self.reason, self.detail)


class StoredImage(NamedTuple):
    """An image file's bytes, and its name relative to the root in Unicode form NFC.

    Attributes:
      stamp: what changes whenever the file does, in all likelihood, and can be told without reading it: a time or a
        generation, and a size; "" where the storage keeps none.
    """

    name: str
    data: bytes
    repairs: tuple[Reason, ...] = ()
    stamp: str = ""


class FoundFile(NamedTuple):
    """A file's bytes, and its stamp; see StoredImage."""

    data: bytes
    stamp: str


class ImageStore(ABC):
    """The images below a root, local or remote.

    Attributes:
      root: a folder.
    """

    root: str

    def read(self, file_name: str) -> StoredImage:
        """Reads the image that an annotation names.

        Tried in turn: the name as it stands; the same name in another Unicode form or in CP949 bytes; the name with
        an image extension added, if it has none. A name from elsewhere (absolute, or climbing out of the root) is
        looked for by its suffixes under the root.

        Raises:
          ImageRefused: missing, outside the root, not a regular file, too large, or a name that no file can have.
          OSError: the storage itself failed.
        """
        if "\0" in file_name:
            raise ImageRefused(Reason.NAME_NOT_UNICODE, "the name holds a NUL character")
        for name in candidate_names(file_name):
            file = self._read_exact(name)
            if file is not None:
                return StoredImage(_written_name(name), file.data, (), file.stamp)
        candidates = list(candidate_names(file_name))
        for name in candidates:
            found = self._find_equivalent(name)
            if found is not None and (file := self._read_exact(found)) is not None:
                repairs = () if name.lower().endswith(IMAGE_SUFFIXES) else (Reason.NAME_COMPLETED,)
                return StoredImage(_written_name(found), file.data, repairs, file.stamp)
        if name_parts(file_name)[1] or not candidates:
            detail = "the name points outside the images folder and no suffix is in it"
            raise ImageRefused(Reason.PATH_OUTSIDE_ROOT, detail)
        # Where the folder lies, is not said: a dataset does not depend on it.
        raise ImageRefused(Reason.IMAGE_MISSING, "no such file in the images folder")

    @abstractmethod
    def locate(self, file_name: str) -> str | None:
        """The name under the root, as text, of the file that ``read`` would open, or None; nothing is opened."""

    def stamp(self, file_name: str) -> str | None:
        """The stamp that ``read`` would give the file, which is not opened; None if there is no file."""
        for name in candidate_names(file_name):
            if (stamp := self._stamp_exact(name)) is not None:
                return stamp
        found = self.locate(file_name)
        return None if found is None else self._stamp_exact(found)

    @abstractmethod
    def _stamp_exact(self, name: str) -> str | None:
        """The stamp of the file of exactly this name; None if there is none."""

    @abstractmethod
    def has_image_folder(self, folder: str) -> bool:
        """Whether a folder below the root has one of the usual folders of images in it; asked once of each."""

    @abstractmethod
    def _read_exact(self, name: str) -> FoundFile | None:
        """The file of exactly this name, or None.

        Raises:
          ImageRefused: it is there and no image can be read from it.
          OSError: the storage failed.
        """

    @abstractmethod
    def _listing(self, folder: str) -> Mapping[str, str]:
        """Names in a folder, of files and folders, by their NFC form; none where it is not to be looked into."""

    def _find_equivalent(self, name: str) -> str | None:
        """The name that is on disk for one that is not, if they differ in Unicode form or extension only."""
        folder, _, base = name.rpartition("/")
        wanted = [base] if base.lower().endswith(IMAGE_SUFFIXES) else [base + suffix for suffix in _SUFFIX_FORMS]
        for place in dict.fromkeys((folder, self._folder_on_disk(folder))):
            for form in wanted:
                if (found := self._listing(place).get(unicodedata.normalize("NFC", form))) is not None:
                    return f"{place}/{found}" if place else found
        return None

    def _folder_on_disk(self, folder: str) -> str:
        """The folder as disk spells it, each of its parts in whatever Unicode form."""
        place = ""
        for part in folder.split("/") if folder else ():
            found = self._listing(place).get(unicodedata.normalize("NFC", part))
            if found is None:
                return folder
            place = f"{place}/{found}" if place else found
        return place


def as_text(name: str) -> str:
    """The name of a file on disk, in the Unicode form that it has there if it has any."""
    try:
        name.encode()
    except UnicodeEncodeError:
        return unicode_name(name)
    return name


def _written_name(name: str) -> str:
    """The name of a file on disk as it stands in records and in the ledger.

    Raises:
      ImageRefused: it is no text.
    """
    text = unicode_name(name)
    try:
        text.encode()
    except UnicodeEncodeError:
        raise ImageRefused(Reason.NAME_NOT_UNICODE, f"the file's name is no text: {name!a}") from None
    return text
