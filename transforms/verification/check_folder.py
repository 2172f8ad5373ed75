"""The files of a dataset folder: none missing, none besides, and each with the digest that the manifest gives."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor

from transforms import storage
from transforms.shards.coco_ground_truth import PARTS_FOLDER, ground_truth_file
from transforms.shards.dataset_folder import HANDOFF_FOLDER, LEDGER_FOLDER
from transforms.shards.handoff import HANDOFF_FILES
from transforms.shards.leakage import LEAKAGE_FILE
from transforms.shards.manifest import MANIFEST_FILE
from transforms.shards.shard_result import ledger_file_name
from transforms.splits.shard_plan import REJECTED
from transforms.storage.atomic_file import TEMPORARY_SUFFIX
from transforms.verification.check_descriptions import DESCRIPTION_FILES
from transforms.verification.check_ledger import UNLISTED_FILE
from transforms.verification.findings import Code, Finding
from transforms.verification.stated_dataset import StatedDataset, StatedFile

_TABLES = ("images", "boxes", "inputs")
_REMOTE_THREADS = 32


def check_folder(folder: str, stated: StatedDataset) -> list[Finding]:
    """Compares the folder's files with those that the manifest names.

    Files at the top of the folder that are no shards (a report, notes) are the user's own.
    """
    return [*_extra_files(folder, stated), *_digests(folder, stated)]


def _required_files(stated: StatedDataset) -> set[str]:
    """All files but the shards and the manifest that a dataset must have."""
    return {
        *DESCRIPTION_FILES,
        *(ledger_file_name(table, shard.key, shard.shards) for shard in stated.shards for table in _TABLES),
        *(ground_truth_file(stated.name, split) for split in stated.ground_truth_splits),
    }


def _extra_files(folder: str, stated: StatedDataset) -> list[Finding]:
    shards = {shard.file for shard in stated.shards}
    rejected = {ledger_file_name(table, REJECTED, 0) for table in _TABLES}
    known = shards | _required_files(stated) | rejected | {UNLISTED_FILE, LEAKAGE_FILE, *HANDOFF_FILES, MANIFEST_FILE}
    findings = []
    for name in _names(folder):
        if name == PARTS_FOLDER or name.endswith(TEMPORARY_SUFFIX):
            findings.append(Finding(Code.FILE_LEFT_OVER, name, "", "it belongs to an unfinished build"))
        elif name not in known and (".tfrecord-" in name or "/" in name):
            findings.append(Finding(Code.FILE_EXTRA, name, "", "the manifest does not name this file"))
        elif stated.files is not None and name in known - shards - {MANIFEST_FILE} - stated.files.keys():
            findings.append(Finding(Code.FILE_EXTRA, name, "", "the manifest gives no digest of this file"))
    return findings


def _names(folder: str) -> list[str]:
    names = _names_in(folder)
    for place in (LEDGER_FOLDER, HANDOFF_FOLDER):
        names += [f"{place}/{name}" for name in _names_in(os.path.join(folder, place))]
    return sorted(names)


def _names_in(folder: str) -> list[str]:
    if storage.is_remote(folder):
        files, folders = storage.list_folder(folder)
        return [os.path.basename(path) for path in [*(file.path for file in files), *folders]]
    return os.listdir(folder) if os.path.isdir(folder) else []


def _digests(folder: str, stated: StatedDataset) -> list[Finding]:
    files = (stated.files or {}).items()
    if not storage.is_remote(folder):
        found = [_check_digest(folder, name, file) for name, file in files]
    else:
        with ThreadPoolExecutor(_REMOTE_THREADS) as executor:
            found = list(executor.map(lambda item: _check_digest(folder, *item), files))
    return [finding for finding in found if finding is not None]


def _check_digest(folder: str, name: str, file: StatedFile) -> Finding | None:
    try:
        with storage.open_file(os.path.join(folder, name)) as stream:
            digest, size = storage.sha256_of(stream), stream.tell()
    except FileNotFoundError:
        return Finding(Code.FILE_MISSING, name, "", "the manifest names this file, it is not there")
    except OSError as error:
        return Finding(Code.FILE_UNREADABLE, name, "", f"it cannot be read: {error.strerror}")
    if (size, digest) == (file.bytes, file.sha256):
        return None
    detail = f"it has {size} bytes with SHA-256 {digest}, the manifest says {file.bytes}, {file.sha256}"
    return Finding(Code.FILE_CHANGED, name, "", detail)
