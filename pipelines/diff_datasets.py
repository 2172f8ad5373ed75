"""``boxmill diff``: what two datasets have in common, and what came, went, changed or moved between them.

ledgers -> digests of all images -> records of those that differ -> table, JSON, a line for each image
"""

from __future__ import annotations

import copy
import json
import os
import sys
import time
from collections import Counter
from collections.abc import Sequence
from contextlib import nullcontext
from typing import TYPE_CHECKING, Any

from absl import flags

from pipelines.flags import HELP_FLAGS, UsageError, help_text

if TYPE_CHECKING:
    from transforms.comparison.compare_datasets import Comparison
    from transforms.shards.previous_dataset import PreviousDataset

EXIT_SAME, EXIT_FAILED, EXIT_DIFFERENT = 0, 1, 2

FLAGS = flags.FlagValues()
flags.DEFINE_string("json", None, "File for the totals, as JSON.", flag_values=FLAGS)
flags.DEFINE_string(
    "output", None, "File for the images that differ: a JSON object a line, with boxes by class.", flag_values=FLAGS
)


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the command; returns its exit code."""
    argv = sys.argv[1:] if argv is None else list(argv)
    if HELP_FLAGS & set(argv):
        print(_help(), end="")
        return EXIT_SAME
    from transforms.images.image_store import ImageRefused
    from transforms.shards.previous_dataset import PreviousRefused

    values = copy.deepcopy(FLAGS)
    values.set_gnu_getopt(True)
    try:
        folders = values(["boxmill", *argv])[1:]
        if len(folders) != 2:
            raise UsageError("name two datasets, the older first: boxmill diff OUTPUT/NAME/1.0.0 OUTPUT/NAME/1.1.0")
        return _run(folders[0], folders[1], values)
    except (UsageError, flags.Error, PreviousRefused, ImageRefused) as error:
        print(f"boxmill diff: {error}", file=sys.stderr)
    except OSError as error:
        print(f"boxmill diff: {error.filename}: {error.strerror}", file=sys.stderr)
    return EXIT_FAILED


def _help() -> str:
    return help_text(
        "Compares two datasets image by image: added, removed, changed (picture, boxes), moved between splits. Exits "
        "with 0 if all\nimages are the same, with 2 if some differ, with 1 if that cannot be told.",
        "boxmill diff BEFORE AFTER [flags]",
        FLAGS,
        ["boxmill diff data/voc/1.0.0 data/voc/1.1.0", "boxmill diff a/voc/1.0.0 b/voc/1.0.0 --output=images.jsonl"],
        takes_beam_options=False,
    )


def _run(before_folder: str, after_folder: str, values: flags.FlagValues) -> int:
    from pipelines.build_previous import read_dataset
    from pipelines.progress import Step, showing
    from transforms.comparison.compare_datasets import Comparison, changes, pair_datasets
    from transforms.comparison.dataset_index import DatasetIndex
    from transforms.storage.atomic_file import AtomicFile, write_atomically

    started = time.monotonic()
    before, after = read_dataset(before_folder), read_dataset(after_folder)
    for name in (values.json, values.output):
        if name and not os.path.isdir(os.path.dirname(os.path.abspath(name))):
            raise UsageError(f"{name}: its folder does not exist; create it or name another")
    pair = pair_datasets(DatasetIndex.of(before), DatasetIndex.of(after))
    comparison = Comparison(pair.same)
    counters: Counter[str] = Counter()
    step = Step("comparing", "images", lambda found: found["images"], lambda found: pair.differing)
    output = AtomicFile(os.path.abspath(values.output)) if values.output else nullcontext()
    with showing([step]) as update, output as file:
        for change in changes(pair):
            comparison.add(change)
            if file is not None:
                file.write([(json.dumps(change.to_plain(), ensure_ascii=False) + "\n").encode("utf-8", "replace")])
            counters["images"] += 1
            if counters["images"] % 1000 == 0 or counters["images"] == pair.differing:
                update(counters)
        if file is not None:
            file.commit()
    if values.json:
        document = totals(before, after, comparison)
        write_atomically(os.path.abspath(values.json), (json.dumps(document, indent=1) + "\n").encode())
    print(summary(before, after, comparison, time.monotonic() - started), end="")
    return EXIT_SAME if comparison.is_same else EXIT_DIFFERENT


def totals(before: PreviousDataset, after: PreviousDataset, comparison: Comparison) -> dict[str, Any]:
    """What ``--json`` writes."""
    boxes = comparison.boxes
    datasets = (("before", before), ("after", after))
    return {
        **{
            name: {
                "folder": dataset.folder,
                "name": dataset.name,
                "version": dataset.version,
                "fingerprint": dataset.fingerprint,
                "images": dataset.records,
            }
            for name, dataset in datasets
        },
        "images": {
            "same": comparison.same,
            "added": comparison.added,
            "removed": comparison.removed,
            "changed": comparison.changed,
        },
        "changed": {
            "picture": comparison.pictures,
            "annotations": comparison.annotations,
            "other": comparison.others,
            "moved": comparison.moved.total(),
        },
        "moved": [
            {"before": old, "after": new, "images": number} for (old, new), number in sorted(comparison.moved.items())
        ],
        "boxes": {
            name: {"added": boxes.added[name], "removed": boxes.removed[name], "changed": boxes.changed[name]}
            for name in sorted({*boxes.added, *boxes.removed, *boxes.changed})
        },
    }


def summary(before: PreviousDataset, after: PreviousDataset, comparison: Comparison, seconds: float) -> str:
    """The tables at the end."""
    from pipelines.build_summary import table

    found = totals(before, after, comparison)
    lines = [
        "",
        f"{before.name} {before.version} ({before.records:,} images) and {after.name} {after.version} "
        f"({after.records:,} images), compared in {seconds:.1f} s",
        "",
        *table(["images", ""], [[name, f"{number:,}"] for name, number in found["images"].items()]),
    ]
    if comparison.changed:
        titles = {"picture": "the picture", "annotations": "boxes", "other": "other fields", "moved": "the split"}
        rows = [[titles[name], f"{number:,}"] for name, number in found["changed"].items() if number]
        rows += [[f"  {item['before']} -> {item['after']}", f"{item['images']:,}"] for item in found["moved"]]
        lines += ["", *table(["changed in", "images"], rows)]
    if found["boxes"]:
        rows = [[name, *(f"{number:,}" for number in item.values())] for name, item in found["boxes"].items()]
        boxes = comparison.boxes
        rows.append(["all", *(f"{number.total():,}" for number in (boxes.added, boxes.removed, boxes.changed))])
        lines += ["", *table(["boxes", "added", "removed", "changed"], rows)]
    lines += ["", "the images are the same" if comparison.is_same else "the images differ"]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    sys.exit(main())
