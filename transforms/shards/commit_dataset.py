"""The commit: closes the ledger, writes what describes the shards, and last the manifest."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from itertools import islice

import numpy as np
import numpy.typing as npt

from transforms import storage
from transforms.examples.class_ids import ClassIds
from transforms.images.image_listing import image_names
from transforms.images.image_names import image_key, unicode_name
from transforms.ledger.counts import Counts, check_closing
from transforms.ledger.ledger_rows import ImageRow, image_rows_parquet
from transforms.ledger.reasons import Reason
from transforms.ledger.small_tables import read_small_table
from transforms.shards.coco_ground_truth import ground_truth_file, join_parts
from transforms.shards.dataset_folder import HANDOFF_FOLDER, LEDGER_FOLDER, BuildRefused, remove_leftovers
from transforms.shards.handoff import TrainingFacts, handoff_texts
from transforms.shards.input_stamps import join_stamps
from transforms.shards.label_map import label_map_text, labels_csv
from transforms.shards.leakage import LEAKAGE_FILE, find_leaks, leakage_parquet, leakage_summary, training_split
from transforms.shards.manifest import (
    MANIFEST_FILE,
    BuildIdentity,
    make_manifest,
    manifest_bytes,
    plain_counts,
    read_manifest,
)
from transforms.shards.previous_dataset import PreviousDataset, previous_summary
from transforms.shards.shard_result import ShardResult, ledger_file_name
from transforms.shards.tfds_metadata import (
    LABELS_FILE,
    SplitShards,
    dataset_info_json,
    features_json,
    labels_text,
)
from transforms.splits.reading_index import order_hash
from transforms.splits.shard_plan import ShardPlan
from transforms.storage.atomic_file import TEMPORARY_SUFFIX, open_atomic, sync_folder, write_all, write_atomically
from transforms.storage.open_ahead import open_ahead
from transforms.storage.remote_claim import Claim
from transforms.storage.remote_file import describe_files

_NAMES_AT_ONCE = 1 << 16
_CONSEQUENCES = {Reason.IMAGE_REJECTED, Reason.IMAGE_UNLISTED, Reason.LEFT_OUT}
_UNLISTED_DETAIL = "no annotation names this image"
_UNLISTED_FILE = f"{LEDGER_FOLDER}/images-unlisted.parquet"


class TooManyRejects(Exception):
    """More images were refused than the user allows: there is no dataset, but the ledger says why."""


def commit_dataset(
    results: Sequence[ShardResult],
    plan: ShardPlan,
    class_ids: ClassIds,
    read: Counts,
    identity: BuildIdentity,
    folder: str,
    image_roots: Mapping[str, str],
    ground_truth_splits: frozenset[str],
    max_reject_ratio: float,
    leakage_distance: int | None,
    claim: Claim | None = None,
    previous: PreviousDataset | None = None,
) -> dict[str, object]:
    """Makes the folder a dataset. Doing it again after it succeeded changes nothing.

    Args:
      results: of all shards and of the rejected, each once, in any order.
      plan, class_ids: of the build.
      read: what the readers of annotations counted.
      identity: for the manifest.
      folder: where the shards are.
      image_roots: of each source.
      ground_truth_splits: splits that become COCO files too.
      max_reject_ratio: of the images read.
      leakage_distance: of near duplicates in other splits than the training split; None if they are not looked for.
      claim: on the folder, if it is remote.
      previous: the dataset that the build went on with.

    Returns:
      The manifest.

    Raises:
      LedgerNotClosed: something is unaccounted for.
      TooManyRejects: see there.
      BuildRefused: another run has committed other data here, or has changed the shards.
      ClaimRefused: another run has taken this one for dead.
    """
    if claim is not None:
        claim.check()
    results = sorted(results, key=lambda result: result.key)
    counts = Counts.total(result.counts for result in results)
    check_closing(read, counts)
    shards = [result for result in results if result.file]
    written = {split: [result for result in shards if result.key.split == split] for split in plan.splits}
    for split, parts in written.items():
        if [result.key.number for result in parts] != list(range(len(plan.starts[split]))):
            raise AssertionError(f"the shards of {split} are not those of the plan: {[r.file for r in parts]}")

    files = _write_description(folder, identity, plan, shards, class_ids)
    records = {split: sum(result.records for result in parts) for split, parts in written.items()}
    files += _write_handoff(folder, identity.name, records, plan, shards, class_ids, ground_truth_splits)
    for split in sorted(ground_truth_splits):
        files.append(ground_truth_file(identity.name, split))
        join_parts(folder, [r.key for r in written[split]], class_ids, os.path.join(folder, files[-1]))
    ledger_files = [
        ledger_file_name(table, result.key, len(plan.starts.get(result.key.split, ())))
        for result in results
        for table in ("images", "boxes", *(["inputs"] if result.file else []))
    ]
    unlisted = _unlisted_rows(folder, [name for name in ledger_files if "/images-" in name], image_roots)
    if unlisted:
        write_atomically(os.path.join(folder, _UNLISTED_FILE), image_rows_parquet(unlisted))
        ledger_files.append(_UNLISTED_FILE)
        counts.reasons[Reason.IMAGE_UNLISTED.value] += len(unlisted)
    train = training_split(records)
    leaks = find_leaks(shards, train, leakage_distance)
    if leaks:
        write_atomically(os.path.join(folder, LEAKAGE_FILE), leakage_parquet(leaks, train, folder, plan.shard_counts))
        ledger_files.append(LEAKAGE_FILE)
    _remove_unnamed(folder, {*files, *ledger_files, *(result.file for result in shards)})
    if counts.images_rejected > max_reject_ratio * counts.images_read:
        raise TooManyRejects(
            f"{counts.images_rejected} of {counts.images_read} images were rejected, more than "
            f"--max_reject_ratio={max_reject_ratio:g} allows; most often given: {_most_given(counts)}. "
            f"{folder}/{LEDGER_FOLDER} says why of each. Mend them, or allow more and run again: finished shards stay"
        )
    described = describe_files(folder, [*files, *ledger_files])
    _check_shards(folder, shards)
    manifest = make_manifest(identity, shards, plan.splits, counts, class_ids, described) | {
        "leakage": leakage_summary(((leak.split, leak.kind) for leak in leaks), train, plan.splits, leakage_distance),
        **({"split_groups": dict(plan.notes)} if plan.notes else {}),
        **({"source_counts": _source_counts(results, image_roots)} if len(image_roots) > 1 else {}),
        **({"previous": previous_summary(previous, shards)} if previous else {}),
    }
    join_stamps(folder, [result.key for result in shards], identity.fingerprint)
    _commit_manifest(folder, manifest)
    remove_leftovers(folder)
    return manifest


def _most_given(counts: Counts) -> str:
    """The reasons that were given most often, without those that only follow from others."""
    reasons = Counter({reason: times for reason, times in counts.reasons.items() if reason not in _CONSEQUENCES})
    return ", ".join(f"{reason} ({times})" for reason, times in reasons.most_common(3))


def _source_counts(results: Sequence[ShardResult], sources: Iterable[str]) -> dict[str, object]:
    """What each source has given."""
    return {
        source: plain_counts(
            Counts.total(result.source_counts[source] for result in results if source in result.source_counts)
        )
        for source in sources
    }


def _check_shards(folder: str, shards: Sequence[ShardResult]) -> None:
    """Makes sure that remote shards are those that were written: there, other runs may write at any time."""
    if not storage.is_remote(folder):
        return
    found = describe_files(folder, [shard.file for shard in shards])
    for shard in shards:
        if found[shard.file] != {"bytes": shard.bytes, "sha256": shard.sha256}:
            raise BuildRefused(f"another run has changed {folder}/{shard.file}; wait for it to end, then run again")


def _write_description(
    folder: str, identity: BuildIdentity, plan: ShardPlan, shards: Sequence[ShardResult], class_ids: ClassIds
) -> list[str]:
    splits = [
        SplitShards(
            split,
            [r.records for r in shards if r.key.split == split],
            sum(r.bytes for r in shards if r.key.split == split),
        )
        for split in plan.splits
    ]
    optional_keys = set().union(*(result.optional_keys for result in shards))
    formats = {picture_format for result in shards for picture_format in result.formats}
    texts = {
        "label_map.pbtxt": label_map_text(class_ids.labels, class_ids.keypoints),
        "labels.csv": labels_csv(class_ids.labels),
        LABELS_FILE: labels_text(class_ids.labels),
        "features.json": features_json(optional_keys, formats, len(class_ids.labels)),
        "dataset_info.json": dataset_info_json(
            identity.name,
            identity.version,
            splits,
            f"Object detection dataset {identity.name}, built by Boxmill.",
        ),
    }
    write_all({os.path.join(folder, name): text.encode() for name, text in texts.items()})
    return list(texts)


def _write_handoff(
    folder: str,
    name: str,
    records: Mapping[str, int],
    plan: ShardPlan,
    shards: Sequence[ShardResult],
    class_ids: ClassIds,
    ground_truth_splits: frozenset[str],
) -> list[str]:
    facts = TrainingFacts(
        name,
        records,
        plan.shard_counts,
        max(class_ids.labels.values(), default=1),
        max((result.max_boxes for result in shards), default=0),
        frozenset().union(*(result.optional_keys for result in shards)),
        len(class_ids.keypoints.names),
        ground_truth_splits,
    )
    texts = handoff_texts(facts)
    write_all({os.path.join(folder, file): text.encode() for file, text in texts.items()})
    return list(texts)


def _unlisted_rows(folder: str, ledger_files: Sequence[str], image_roots: Mapping[str, str]) -> list[ImageRow]:
    """Rows for images on disk that no annotation names; all names are compared by their hashes, 8 bytes each."""
    rows = []
    sources: dict[str, list[str]] = {}
    for source, root in sorted(image_roots.items()):
        if root:  # else its pictures are in records
            sources.setdefault(storage.canonical(root), []).append(source)
    for root, of_root in sources.items():
        known = _named_images(folder, ledger_files, of_root)
        source = of_root[0]  # an image that none of them names is listed with the first
        names = (image_key(unicode_name(name)) for name in image_names(root))
        while batch := list(islice(names, _NAMES_AT_ONCE)):
            hashes = np.array([order_hash(name) for name in batch], dtype=np.uint64)
            starts, ends = (np.searchsorted(known, hashes, side) for side in ("left", "right"))
            rows += [
                ImageRow(source, "", batch[index], "", "unlisted", (Reason.IMAGE_UNLISTED.value,), _UNLISTED_DETAIL)
                for index in np.flatnonzero(starts == ends)
            ]
    return sorted(rows, key=lambda row: (row.source, row.file_name))


def _named_images(folder: str, ledger_files: Sequence[str], sources: Sequence[str]) -> npt.NDArray[np.uint64]:
    hashes = [np.empty(0, np.uint64)]
    for file in open_ahead([os.path.join(folder, name) for name in ledger_files]):
        with file:
            table = read_small_table(file, ["source", "file_name"])
        rows = zip(*(table[column].to_pylist() for column in table.column_names), strict=True)
        of_file = [order_hash(image_key(file_name)) for row_source, file_name in rows if row_source in sources]
        hashes.append(np.array(of_file, dtype=np.uint64))
    return np.sort(np.concatenate(hashes))


def _remove_unnamed(folder: str, named: set[str]) -> None:
    """Removes files of ours that are not part of this dataset: shards of an earlier plan, files of killed writers."""
    for place in ("", LEDGER_FOLDER, HANDOFF_FOLDER):
        for file in storage.list_folder(os.path.join(folder, place))[0]:
            base = os.path.basename(file.path)
            name = f"{place}/{base}" if place else base
            is_ours = place or ".tfrecord-" in name or name.endswith(TEMPORARY_SUFFIX)
            if is_ours and name not in named:
                storage.delete(file.path)


def _commit_manifest(folder: str, manifest: dict[str, object]) -> None:
    for place in ("", LEDGER_FOLDER, HANDOFF_FOLDER) if not storage.is_remote(folder) else ():
        sync_folder(os.path.join(folder, place))
    try:
        with open_atomic(os.path.join(folder, MANIFEST_FILE)) as file:
            file.write([manifest_bytes(manifest)])
            file.commit_exclusively()
    except FileExistsError:
        if read_manifest(folder)["fingerprint"] != manifest["fingerprint"]:
            raise BuildRefused(f"another run has committed other data to {folder}; give another --version") from None
