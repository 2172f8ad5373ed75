"""Where a dataset is built, who may build it, and what is left behind: nothing."""

from __future__ import annotations

import contextlib
import ctypes
import errno
import fcntl
import os
import shutil
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass

from transforms import storage
from transforms.shards.coco_ground_truth import PARTS_FOLDER
from transforms.shards.manifest import MANIFEST_FILE, BuildIdentity, NotADataset, read_manifest
from transforms.storage.atomic_file import TEMPORARY_SUFFIX
from transforms.storage.remote_claim import Claim

HANDOFF_FOLDER = "handoff"
LEDGER_FOLDER = "ledger"
_BUILD_FOLDERS = (PARTS_FOLDER, LEDGER_FOLDER, HANDOFF_FOLDER)
_RENAME_EXCHANGE = 2
_AT_FDCWD = -100


class BuildRefused(Exception):
    """The build cannot go on, by no fault of the program; the message says why and what to do."""


@dataclass(frozen=True, slots=True)
class BuildTarget:
    """Where a build writes.

    Attributes:
      folder: to write into; beside ``final`` when an old dataset is being replaced.
      final: the dataset's folder, ``OUTPUT/NAME/VERSION``.
      is_done: the dataset is there already, from the same inputs and settings.
      claim: on the place, if it is remote.
    """

    folder: str
    final: str
    is_done: bool = False
    claim: Claim | None = None


def claimed_target(
    output: str, identity: BuildIdentity, newest_input: float, overwrite: bool
) -> AbstractContextManager[BuildTarget]:
    """Claims the dataset's folder for this run and says where to write.

    After the block, a replacement that has its manifest is there in place of the old dataset.

    Args:
      output: the data folder that holds all datasets.
      identity: of what is to be built.
      newest_input: the latest modification time of any input, in seconds of the epoch.
      overwrite: whether another dataset of this name and version may be replaced.

    Raises:
      BuildRefused: another run is at it, other data is there, or the folder cannot be written.
    """
    if storage.is_remote(output):
        from transforms.shards.remote_target import claimed_remote_target

        return claimed_remote_target(output, identity, newest_input, overwrite)
    return _claimed_local_target(output, identity, newest_input, overwrite)


@contextmanager
def _claimed_local_target(
    output: str, identity: BuildIdentity, newest_input: float, overwrite: bool
) -> Iterator[BuildTarget]:
    parent = os.path.join(output, identity.name)
    final = os.path.join(parent, identity.version)
    aside = os.path.join(parent, f".{identity.version}.next")
    is_new_output = not os.path.exists(output)
    try:
        os.makedirs(parent, exist_ok=True)
        lock = _lock(os.path.join(parent, f".{identity.version}.lock"), final)
    except OSError as error:
        raise BuildRefused(f"cannot write to {parent}: {error.strerror}; choose another --output") from None
    try:
        target = choose_folder(final, aside, identity, newest_input, overwrite)
        if not target.is_done:
            try:
                for folder in _BUILD_FOLDERS:
                    os.makedirs(os.path.join(target.folder, folder), exist_ok=True)
            except OSError as error:
                raise BuildRefused(f"cannot write to {target.folder}: {error.strerror}") from None
        yield target
        if target.folder == aside and os.path.exists(os.path.join(aside, MANIFEST_FILE)):
            _exchange(aside, final)
            shutil.rmtree(aside)
        if os.path.exists(os.path.join(final, MANIFEST_FILE)):
            remove_leftovers(final)
    finally:
        _unlock(lock)
        _remove_empty([aside, final], [parent, *([output] if is_new_output else [])])


def _remove_empty(targets: Sequence[str], parents: Sequence[str]) -> None:
    """Removes what a build that wrote nothing has made; where there is any file, all stays."""
    for target in targets:
        if os.path.isdir(target) and not any(names for _, _, names in os.walk(target)):
            shutil.rmtree(target)
    for parent in parents:
        with contextlib.suppress(OSError):  # not empty, or gone
            os.rmdir(parent)


def choose_folder(final: str, aside: str, identity: BuildIdentity, newest_input: float, overwrite: bool) -> BuildTarget:
    """Where to write, by what is there; see ``claimed_target``."""
    committed = storage.status(os.path.join(final, MANIFEST_FILE))
    if committed is None:
        _refuse_foreign_folder(final)
        storage.delete_folder(aside)
        return BuildTarget(final, final)
    try:
        manifest = read_manifest(final)
        difference = _difference(manifest, identity)
    except NotADataset as error:
        difference = str(error)
    if not difference and newest_input > committed.modified:
        difference = "an input file was changed after the dataset was built"
    if not difference:
        storage.delete_folder(aside)
        return BuildTarget(final, final, is_done=True)
    if not overwrite:
        raise BuildRefused(
            f"{final} holds another dataset: {difference}. Give a new --version to keep both, or --overwrite to "
            "replace it"
        )
    return BuildTarget(aside, final)


def _refuse_foreign_folder(folder: str) -> None:
    """An unfinished build of ours has its parts folder; anything else that is not empty is somebody's data."""
    if not storage.is_remote(folder) and os.path.lexists(folder) and not os.path.isdir(folder):
        raise BuildRefused(f"{folder} is a file; choose another --output or --name")
    if storage.is_remote(folder):
        is_empty = not storage.is_folder(folder)
    else:
        is_empty = not os.path.isdir(folder) or not os.listdir(folder)
    if not is_empty and not storage.is_folder(os.path.join(folder, PARTS_FOLDER)):
        raise BuildRefused(f"{folder} is not empty and holds no dataset; choose another --output, --name or --version")


def _difference(manifest: dict[str, object], identity: BuildIdentity) -> str:
    """In what a committed dataset differs from the one that is wanted; "" if in nothing."""
    if manifest.get("fingerprint") == identity.fingerprint:
        return ""
    there, wanted = manifest.get("settings"), dict(identity.settings)
    if isinstance(there, dict) and there != wanted:
        keys = [key for key in sorted({*there, *wanted}) if there.get(key) != wanted.get(key)]
        return "; ".join(f"it has {key}={there.get(key)!r}, this run has {wanted.get(key)!r}" for key in keys)
    if manifest.get("boxmill_version") != identity.boxmill_version:
        return f"it was built by version {manifest.get('boxmill_version')}, this is {identity.boxmill_version}"
    return "its annotations or images differ from those given now"


def _lock(path: str, final: str) -> int:
    """Takes the lock, which dies with the process that holds it."""
    while True:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            os.close(descriptor)
            if error.errno not in (errno.EAGAIN, errno.EACCES):
                raise
            raise BuildRefused(
                f"another run is building {final}; wait for it to end, or give another --version"
            ) from None
        try:
            if _is_same_file(descriptor, path):
                os.ftruncate(descriptor, 0)
                os.write(descriptor, f"{path}\n".encode())
                return descriptor
        except OSError:
            os.close(descriptor)
            raise
        os.close(descriptor)


def _is_same_file(descriptor: int, path: str) -> bool:
    """Whether a file still has its name: the holder of a lock before us may have removed what we have just locked."""
    try:
        return os.path.samestat(os.fstat(descriptor), os.stat(path))
    except FileNotFoundError:
        return False


def _unlock(descriptor: int) -> None:
    path = os.pread(descriptor, 1 << 16, 0).decode().rstrip("\n")
    os.unlink(path)
    os.close(descriptor)


def _exchange(new: str, old: str) -> None:
    """Swaps two folders in one step, so that readers of ``old`` always find a dataset."""
    result = ctypes.CDLL(None, use_errno=True).renameat2(
        _AT_FDCWD, os.fsencode(new), _AT_FDCWD, os.fsencode(old), _RENAME_EXCHANGE
    )
    if result != 0:
        number = ctypes.get_errno()
        raise OSError(number, f"cannot swap {new} and {old}: {os.strerror(number)}")


def remove_leftovers(folder: str) -> None:
    """Removes what only an unfinished build needs; safe at any time after the manifest is there."""
    if storage.is_remote(folder):
        storage.delete_folder(os.path.join(folder, PARTS_FOLDER))
        return
    shutil.rmtree(os.path.join(folder, PARTS_FOLDER), ignore_errors=True)
    for place, _, names in os.walk(folder):
        for name in names:
            if name.endswith(TEMPORARY_SUFFIX):
                os.unlink(os.path.join(place, name))
