"""Every field of the manifest is held by something else: no edit goes unseen."""

from __future__ import annotations

import copy
import random
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.verification.tiny_dataset import change_manifest, codes_of, flipped
from transforms.shards.manifest import NotADataset, read_manifest
from transforms.verification.findings import Code

Manifest = dict[str, Any]
Edit = Callable[[Manifest], object]


def _set(*path: str | int, to: object) -> Edit:
    def edit(manifest: Manifest) -> None:
        place: Any = manifest
        for part in path[:-1]:
            place = place[part]
        assert place[path[-1]] != to
        place[path[-1]] = to

    return edit


def _add(*path: str | int, number: int = 1) -> Edit:
    def edit(manifest: Manifest) -> None:
        place: Any = manifest
        for part in path[:-1]:
            place = place[part]
        place[path[-1]] += number

    return edit


def _both(*edits: Edit) -> Edit:
    return lambda manifest: [edit(manifest) for edit in edits]


def _swap_shards(manifest: Manifest) -> None:
    shards = manifest["splits"]["train"]["shards"]
    shards[0], shards[1] = shards[1], shards[0]


def _swap_digests(manifest: Manifest) -> None:
    first, second = manifest["splits"]["train"]["shards"][:2]
    first["sha256"], second["sha256"] = second["sha256"], first["sha256"]


def _rename_split(manifest: Manifest) -> None:
    manifest["splits"]["valid"] = manifest["splits"].pop("val")


def _drop_split(manifest: Manifest) -> None:
    del manifest["splits"]["train"]


def _reverse_splits(manifest: Manifest) -> None:
    manifest["splits"] = dict(reversed(manifest["splits"].items()))


SHARD = ("splits", "val", "shards", 1)
EDITS: dict[str, tuple[Edit, Code]] = {
    "name": (_set("name", to="other"), Code.MANIFEST_MALFORMED),
    "version": (_set("version", to="1.0.1"), Code.FINGERPRINT_MISMATCH),
    "program": (_set("boxmill_version", to="9"), Code.FINGERPRINT_MISMATCH),
    "fingerprint": (_set("fingerprint", to="0" * 64), Code.FINGERPRINT_MISMATCH),
    "setting": (_set("settings", "exif", to="ignore"), Code.FINGERPRINT_MISMATCH),
    "source": (_add("sources", 0, "image_bytes"), Code.FINGERPRINT_MISMATCH),
    "class id": (_set("classes", 1, "id", to=3), Code.LABEL_UNKNOWN),
    "class id 0": (_set("classes", 0, "id", to=0), Code.MANIFEST_MALFORMED),
    "class name": (_set("classes", 1, "name", to="dog"), Code.LABEL_UNKNOWN),
    "class name twice": (_set("classes", 1, "name", to="cat"), Code.MANIFEST_MALFORMED),
    "class boxes": (_add("classes", 2, "boxes"), Code.COUNT_MISMATCH),
    "class removed": (lambda manifest: manifest["classes"].pop(), Code.LABEL_UNKNOWN),
    "class added": (
        lambda manifest: manifest["classes"].append({"id": 9, "name": "x", "boxes": 0}),
        Code.DESCRIPTION_DIFFERS,
    ),
    "images read": (_add("counts", "images", "read"), Code.COUNT_MISMATCH),
    "images written": (_add("counts", "images", "written"), Code.COUNT_MISMATCH),
    "images repaired": (_add("counts", "images", "repaired"), Code.COUNT_MISMATCH),
    "images rejected": (_add("counts", "images", "rejected"), Code.COUNT_MISMATCH),
    "images read and rejected": (
        _both(_add("counts", "images", "read", number=5), _add("counts", "images", "rejected", number=5)),
        Code.COUNT_MISMATCH,
    ),
    "boxes read": (_add("counts", "boxes", "read"), Code.COUNT_MISMATCH),
    "boxes written": (_add("counts", "boxes", "written"), Code.COUNT_MISMATCH),
    "boxes repaired": (_add("counts", "boxes", "repaired", number=-1), Code.COUNT_MISMATCH),
    "boxes dropped": (_add("counts", "boxes", "dropped"), Code.COUNT_MISMATCH),
    "boxes read and dropped": (
        _both(_add("counts", "boxes", "read"), _add("counts", "boxes", "dropped")),
        Code.COUNT_MISMATCH,
    ),
    "reason's count": (_add("reasons", "box_clipped"), Code.COUNT_MISMATCH),
    "reason of a remark": (_add("reasons", "image_unlisted"), Code.COUNT_MISMATCH),
    "reason removed": (lambda manifest: manifest["reasons"].pop("box_empty"), Code.COUNT_MISMATCH),
    "reason added": (lambda manifest: manifest["reasons"].update(box_swapped=1), Code.COUNT_MISMATCH),
    "split records": (_add("splits", "val", "records"), Code.COUNT_MISMATCH),
    "split boxes": (_add("splits", "val", "boxes"), Code.COUNT_MISMATCH),
    "split bytes": (_add("splits", "val", "bytes"), Code.COUNT_MISMATCH),
    "split class boxes": (_add("splits", "val", "classes", "cat"), Code.COUNT_MISMATCH),
    "split class removed": (lambda manifest: manifest["splits"]["val"]["classes"].pop("cat"), Code.COUNT_MISMATCH),
    "split renamed": (_rename_split, Code.MANIFEST_MALFORMED),
    "split removed": (_drop_split, Code.FILE_EXTRA),
    "splits in another order": (_reverse_splits, Code.DESCRIPTION_DIFFERS),
    "shard file": (_set(*SHARD, "file", to="tiny-val.tfrecord-00000-of-00002"), Code.MANIFEST_MALFORMED),
    "shard file elsewhere": (_set(*SHARD, "file", to="../x"), Code.MANIFEST_MALFORMED),
    "shard records": (_add(*SHARD, "records"), Code.COUNT_MISMATCH),
    "shard boxes": (_add(*SHARD, "boxes"), Code.COUNT_MISMATCH),
    "shard bytes": (_add(*SHARD, "bytes"), Code.SHARD_SIZE),
    "shard digest": (_set(*SHARD, "sha256", to="0" * 64), Code.SHARD_DIGEST),
    "shard digest of no form": (_set(*SHARD, "sha256", to="0"), Code.MANIFEST_MALFORMED),
    "shard digests swapped": (_swap_digests, Code.SHARD_SWAPPED),
    "shards swapped": (_swap_shards, Code.MANIFEST_MALFORMED),
    "shard removed": (lambda manifest: manifest["splits"]["val"]["shards"].pop(), Code.MANIFEST_MALFORMED),
    "number as text": (_set("splits", "val", "records", to="6"), Code.MANIFEST_MALFORMED),
    "number as truth": (
        lambda manifest: manifest["counts"]["images"].update(repaired=False),
        Code.MANIFEST_MALFORMED,
    ),
    "number below 0": (_set("counts", "images", "repaired", to=-1), Code.MANIFEST_MALFORMED),
    "splits as list": (_set("splits", to=[]), Code.MANIFEST_MALFORMED),
    "unknown member": (lambda manifest: manifest.update(note="hello"), Code.MANIFEST_MALFORMED),
    "digest of a file that is not there": (
        lambda manifest: manifest.setdefault("files", {}).update({"x.txt": {"bytes": 0, "sha256": "0" * 64}}),
        Code.FILE_MISSING,
    ),
    "digest of a file outside": (
        lambda manifest: manifest.setdefault("files", {}).update({"../x": {"bytes": 0, "sha256": "0" * 64}}),
        Code.MANIFEST_MALFORMED,
    ),
}


@pytest.mark.parametrize("name", EDITS)
def test_named_edit(dataset: Path, name: str) -> None:
    edit, code = EDITS[name]
    manifest = read_manifest(str(dataset))
    edit(manifest)
    change_manifest(dataset, manifest)
    assert code in codes_of(dataset)


def _leaves(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Paths of all values that hold no other."""
    members = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, member in members:
        yield from _leaves(member, (*path, key))
    if not isinstance(value, dict | list):
        yield path


def _changed(value: Any) -> Any:
    return value + 1 if isinstance(value, int) else value + "0" if isinstance(value, str) else "0"


def test_every_value_changed_and_every_member_removed(dataset: Path) -> None:
    manifest = read_manifest(str(dataset))
    paths = list(_leaves(manifest))
    assert len(paths) > 80
    missed = []
    for path in paths:
        for is_removed in (False, True):
            edited = copy.deepcopy(manifest)
            place = edited
            for part in path[:-1]:
                place = place[part]
            if is_removed:
                del place[path[-1]]
            else:
                place[path[-1]] = _changed(place[path[-1]])
            change_manifest(dataset, edited)
            if not _is_found(dataset):
                missed.append((path, is_removed))
    assert missed == []


def _is_found(folder: Path) -> bool:
    try:
        return bool(codes_of(folder))
    except NotADataset:
        return True


def test_flipped_bytes(dataset: Path) -> None:
    rng = random.Random(0)
    path = dataset / "manifest.json"
    data = path.read_bytes()
    for _ in range(100):
        path.write_bytes(flipped(data, rng))
        assert _is_found(dataset)


def test_same_content_in_another_form(dataset: Path) -> None:
    path = dataset / "manifest.json"
    path.write_bytes(path.read_bytes() + b"\n")
    assert codes_of(dataset) == {Code.MANIFEST_REWRITTEN}
