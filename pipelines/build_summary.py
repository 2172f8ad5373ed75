"""What a build shows: its steps while it runs, and a table of what became of everything at its end."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from pipelines.progress import Step


def steps(listed_images: int) -> list[Step]:
    """The steps of a build; until all annotations are read, the images on disk tell how many there may be."""

    def read_total(counters: Counter[str]) -> int:
        is_read = counters["images_done"] > 0
        return counters["images_read"] if is_read else max(listed_images, counters["images_read"])

    def write_total(counters: Counter[str]) -> int | None:
        return counters["images_read"] - counters["readings_united"] or None

    return [
        Step("reading", "images", lambda counters: counters["images_read"], read_total),
        Step("writing", "images", lambda counters: counters["images_done"], write_total),
        Step("committing", "datasets", lambda counters: counters["commits"], lambda counters: 1),
    ]


def summary(manifest: Mapping[str, Any], folder: str, seconds: float) -> str:
    """The closing table of a build."""
    images, boxes = manifest["counts"]["images"], manifest["counts"]["boxes"]
    splits = manifest["splits"]
    size = sum(split["bytes"] for split in splits.values())
    lines = [
        "",
        f"{manifest['name']} {manifest['version']}: {images['written']:,} of {images['read']:,} images and "
        f"{boxes['written']:,} of {boxes['read']:,} boxes written in {seconds:.1f} s "
        f"({images['read'] / max(seconds, 1e-9):,.0f} images/s)",
        "",
        *table(
            ["split", "images", "boxes", "shards", "MB"],
            [
                [
                    name,
                    f"{s['records']:,}",
                    f"{s['boxes']:,}",
                    f"{len(s['shards']):,}",
                    f"{s['bytes'] / 1e6:,.1f}",
                ]
                for name, s in splits.items()
            ]
            + [
                [
                    "all",
                    f"{images['written']:,}",
                    f"{boxes['written']:,}",
                    f"{sum(len(s['shards']) for s in splits.values()):,}",
                    f"{size / 1e6:,.1f}",
                ]
            ],
        ),
        "",
        *_classes(manifest),
    ]
    if "source_counts" in manifest:
        lines += ["", *_sources(manifest)]
    if manifest["reasons"]:
        lines += ["", *table(["repaired, dropped or rejected", "times"], _rows(manifest["reasons"]))]
    lines += [
        "",
        f"images: {images['read']:,} read = {images['written']:,} written ({images['repaired']:,} of them repaired) + "
        f"{images['rejected']:,} rejected",
        f"boxes:  {boxes['read']:,} read = {boxes['written']:,} written ({boxes['repaired']:,} of them repaired) + "
        f"{boxes['dropped']:,} dropped",
        *_leakage(manifest),
        f"dataset: {folder}",
        f"ledger:  {folder}/ledger (a row for each image, and for each box that was repaired or dropped)",
    ]
    return "\n".join(lines) + "\n"


def _sources(manifest: Mapping[str, Any]) -> list[str]:
    header = ["source", "images read", "written", "rejected", "boxes read", "written", "dropped"]
    rows = []
    for name, counts in manifest["source_counts"].items():
        images, boxes = counts["images"], counts["boxes"]
        numbers = [images["read"], images["written"], images["rejected"]]
        numbers += [boxes["read"], boxes["written"], boxes["dropped"]]
        rows.append([name, *(f"{number:,}" for number in numbers)])
    return table(header, rows)


def _leakage(manifest: Mapping[str, Any]) -> list[str]:
    """How many images of other splits are in the training split too, and what the split key found."""
    leakage, notes = manifest["leakage"], manifest.get("split_groups", {})
    lines = []
    if "ungrouped" in notes:
        key = manifest["settings"]["split_key"]
        lines.append(f"groups:  {notes['ungrouped']:,} images without {key} are split each by its name")
    elif notes:
        lines.append(
            f"groups:  {notes['images_in_groups']:,} images in {notes['groups']:,} groups of equal or nearly equal "
            f"pictures, {notes['largest_group']:,} in the largest"
        )
    found = {
        split: f"{counts['exact']:,}" + ("" if counts["near"] is None else f" + {counts['near']:,} nearly")
        for split, counts in leakage["splits"].items()
    }
    if not found:
        return lines
    shown = ", ".join(f"{split} {text}" for split, text in found.items())
    lines.append(f"leakage: images with the picture of a {leakage['train']} image: {shown}")
    if any(counts["exact"] or counts["near"] for counts in leakage["splits"].values()):
        lines[-1] += " (ledger/leakage.parquet names them; --split_key=content keeps them together)"
    elif leakage["duplicate_distance"] is None:
        lines[-1] += " (nearly equal ones: --leakage_report)"
    return lines


_SHOWN_CLASSES = 30


def _classes(manifest: Mapping[str, Any]) -> list[str]:
    classes, splits = manifest["classes"], manifest["splits"]
    rows = [
        [
            item["name"],
            str(item["id"]),
            *(f"{s['classes'].get(item['name'], 0):,}" for s in splits.values()),
            f"{item['boxes']:,}",
        ]
        for item in classes[:_SHOWN_CLASSES]
    ]
    lines = table(["class", "id", *splits, "boxes"], rows)
    if len(classes) > _SHOWN_CLASSES:
        lines.append(f"… and {len(classes) - _SHOWN_CLASSES} more in manifest.json")
    folded: dict[str, list[str]] = {}
    for item in classes:
        folded.setdefault(item["name"].casefold(), []).append(item["name"])
    lines += [
        f"note: the classes {' and '.join(names)} differ in case only" for names in folded.values() if len(names) > 1
    ]
    return lines


def _rows(counts: Mapping[str, int]) -> list[list[str]]:
    return [[name, f"{number:,}"] for name, number in counts.items()]


def table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    """Lines of a table: the first column to the left, the others to the right."""
    widths = [max(map(len, column)) for column in zip(header, *rows, strict=True)]

    def line(cells: Sequence[str]) -> str:
        first, *rest = (
            cell.ljust(width) if i == 0 else cell.rjust(width)
            for i, (cell, width) in enumerate(zip(cells, widths, strict=True))
        )
        return "  ".join(["", first, *rest]).rstrip()

    return [line(header), line(["-" * width for width in widths]), *map(line, rows)]
