"""A build without Beam: the same functions that the pipeline maps, called one after the other."""

from __future__ import annotations

import io
from collections import defaultdict
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.sample_data import ledger_rows
from transforms.annotations.formats import FORMATS
from transforms.annotations.packs import PackedImage, decode_pack, pack_readings
from transforms.annotations.read_annotations import located
from transforms.images.check_image import ImagePolicy
from transforms.images.local_image_store import LocalImageStore
from transforms.ledger.counts import Counts, check_closing
from transforms.records import AnnotatedImage, ReadContext, Reading, Rejection
from transforms.shards.shard_ledger import write_rejected
from transforms.shards.shard_settings import ShardSettings
from transforms.shards.write_shard import write_shard
from transforms.splits.assign_shards import assign_pack, index_pack
from transforms.splits.build_plan import BuildPlan, PlanSettings, make_plan
from transforms.splits.shard_plan import REJECTED, ShardKey, ShardSizing
from transforms.splits.split_fractions import SplitFractions
from transforms.splits.split_rule import SplitRule

FRACTIONS = SplitFractions.parse("train=0.8,val=0.2")


@dataclass(frozen=True, slots=True)
class LocalBuild:
    """What was written, and what the ledger says of it; the closing identity has been checked."""

    folder: Path
    plan: BuildPlan
    counts: Counts

    def ledger(self, table: str) -> list[dict[str, Any]]:
        return ledger_rows(self.folder, table)


def read_files(files: Mapping[str, bytes], images_root: Path) -> list[Reading]:
    """Reads annotation files, each by the format that its suffix tells."""
    readings: list[Reading] = []
    store = LocalImageStore(str(images_root))
    for relative, data in files.items():
        annotation_format = FORMATS["voc" if relative.lower().endswith(".xml") else "coco"]
        for reading in annotation_format.read(io.BytesIO(data), ReadContext("source", relative, with_masks=False)):
            readings.append(located(reading, store) if isinstance(reading, AnnotatedImage) else reading)
    return readings


def build_locally(
    folder: Path, files: Mapping[str, bytes], images_root: Path, policy: ImagePolicy | None = None
) -> LocalBuild:
    """Reads, plans, assigns and writes; raises LedgerNotClosed if anything is lost on the way."""
    packs = list(pack_readings(read_files(files, images_root)))
    settings = PlanSettings(SplitRule(FRACTIONS), ShardSizing(), 1000.0)
    plan = make_plan([index_pack(pack, settings) for pack in packs], settings)
    shards: defaultdict[ShardKey, list[Any]] = defaultdict(list)
    for pack in packs:
        for key, part in assign_pack(pack, plan):
            shards[key] += decode_pack(part)
    for place in ("ledger", ".parts", "handoff"):
        (folder / place).mkdir(parents=True, exist_ok=True)
    shard_settings = ShardSettings(
        str(folder), "local", "", {"source": str(images_root)}, policy or ImagePolicy(), plan.class_ids
    )
    results = []
    with ThreadPoolExecutor(2) as executor:
        for key, entries in shards.items():
            if key == REJECTED:
                rejections = [entry for entry in entries if isinstance(entry, Rejection)]
                results.append(write_rejected(rejections, str(folder), ""))
            else:
                members = [entry for entry in entries if isinstance(entry, PackedImage)]
                results.append(write_shard(key, members, plan.shards, shard_settings, executor))
    counts = Counts.total(result.counts for result in results)
    check_closing(plan.shards.counts, counts)
    return LocalBuild(folder, plan, counts)
