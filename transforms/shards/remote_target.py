"""Where a dataset in an object store is built, who may build it, and how it takes the place of another.

There are no folders to lock or to swap: a run claims the place (see ``remote_claim``), and a replacement is built aside
and copied within the store. The old dataset is readable until all of the new one is there; then its manifest goes, the
files are copied, which takes seconds, and the new manifest comes last. A run that is killed in between leaves no
manifest, and so no dataset, and the next run with the same inputs ends the copying.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace

from transforms import storage
from transforms.shards.coco_ground_truth import PARTS_FOLDER
from transforms.shards.dataset_folder import BuildRefused, BuildTarget, choose_folder, remove_leftovers
from transforms.shards.manifest import MANIFEST_FILE, BuildIdentity, NotADataset, manifest_bytes, read_manifest
from transforms.storage.remote_claim import ClaimRefused, claimed

# An empty object store folder does not exist; this object makes a build's place known as ours.
_MARK = f"{PARTS_FOLDER}/started"
_THREADS = 32


@contextmanager
def claimed_remote_target(
    output: str, identity: BuildIdentity, newest_input: float, overwrite: bool
) -> Iterator[BuildTarget]:
    """As ``claimed_target``, in an object store."""
    parent = storage.absolute(f"{output}/{identity.name}")
    final, aside = f"{parent}/{identity.version}", f"{parent}/.{identity.version}.next"
    try:
        with claimed(f"{parent}/.{identity.version}.lock") as claim:
            _end_replacement(aside, final, identity)
            target = replace(choose_folder(final, aside, identity, newest_input, overwrite), claim=claim)
            if not target.is_done:
                storage.write_whole(f"{target.folder}/{_MARK}", b"")
            try:
                yield target
                if storage.exists(f"{final}/{MANIFEST_FILE}"):
                    remove_leftovers(final)
            finally:
                _remove_mark(target.folder)
    except ClaimRefused as refused:
        raise BuildRefused(
            f"{final} is being built: {refused}; wait for it to end, or give another --version"
        ) from None


def _remove_mark(folder: str) -> None:
    """Removes the mark of a build that wrote nothing else."""
    files = storage.walk(folder)
    if [file.path for file, _ in zip(files, range(2), strict=False)] == [f"{folder}/{_MARK}"]:
        storage.delete(f"{folder}/{_MARK}")


def _end_replacement(aside: str, final: str, identity: BuildIdentity) -> None:
    """Ends what a killed run has begun: a whole dataset of the same inputs lies aside, and none in its place."""
    if storage.exists(f"{aside}/{MANIFEST_FILE}") and not storage.exists(f"{final}/{MANIFEST_FILE}"):
        try:
            is_wanted = read_manifest(aside)["fingerprint"] == identity.fingerprint
        except NotADataset:
            return
        if is_wanted:
            replace_dataset(aside, final)


def replace_dataset(aside: str, final: str) -> None:
    """Puts a whole dataset in the place of another, or of what an earlier call has left of it; see the module."""
    manifest = manifest_bytes(read_manifest(aside))
    storage.write_whole(f"{final}/{_MARK}", b"")
    storage.delete(f"{final}/{MANIFEST_FILE}")
    hidden = f"{aside}/{PARTS_FOLDER}/"
    names = {
        storage.relative_name(file.path, aside)
        for file in storage.walk(aside)
        if not file.path.startswith(hidden) and file.path != f"{aside}/{MANIFEST_FILE}"
    }
    old = {storage.relative_name(file.path, final) for file in storage.walk(final)} - {_MARK}
    _for_each(lambda name: storage.copy(f"{aside}/{name}", f"{final}/{name}"), sorted(names))
    _for_each(lambda name: storage.delete(f"{final}/{name}"), sorted(old - names))
    storage.write_exclusively(f"{final}/{MANIFEST_FILE}", manifest)
    storage.delete_folder(aside)
    remove_leftovers(final)


def _for_each(work: Callable[[str], None], names: Iterable[str]) -> None:
    with ThreadPoolExecutor(_THREADS) as executor:
        for _ in executor.map(work, names):
            pass
