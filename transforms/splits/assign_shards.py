"""Plans the shards from an index of all images, and sends each image's metadata to its shard."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass

import apache_beam as beam

from transforms.annotations.packs import Entry, PackedImage, decode_pack, encode_pack
from transforms.ledger.reasons import Reason
from transforms.records import AnnotatedImage, BoxProblem, Rejection
from transforms.splits.build_plan import BuildPlan, PlanSettings, make_plan
from transforms.splits.shard_plan import REJECTED, ReadingIndex, ShardKey, index_entries, order_hash
from transforms.splits.split_fractions import SplitFractions


def assign_pack(pack: bytes, plan: BuildPlan) -> Iterator[tuple[ShardKey, bytes]]:
    """Divides a pack among the shards; a name that several annotations have is refused for all of them."""
    shards: defaultdict[ShardKey, list[Entry]] = defaultdict(list)
    for entry in decode_pack(pack):
        if isinstance(entry, PackedImage):
            if order_hash(entry.key) in plan.shards.repeated_keys:
                shards[REJECTED].append(_repeated(entry.unpack(), entry.key))
            else:
                shards[plan.shards.shard_of(entry.key)].append(entry)
        elif isinstance(entry, Rejection):
            shards[REJECTED].append(entry)
    for shard, entries in shards.items():
        yield shard, encode_pack(entries)


def _repeated(image: AnnotatedImage, key: str) -> Rejection:
    detail = f"more than one annotation is for the image {key}"
    lost = [problem for problem in image.problems if problem.status == "dropped"]
    lost += [
        BoxProblem(item.position, item.box_id, item.class_name, "dropped", Reason.DUP_IMAGE_NAME, detail)
        for item in image.objects
    ]
    return Rejection(
        Reason.DUP_IMAGE_NAME,
        detail,
        file_name=image.file_name,
        image_id=image.image_id,
        problems=tuple(lost),
        source=image.source,
        annotation_file=image.annotation_file,
        key=key,
    )


def index_pack(pack: bytes, fractions: SplitFractions) -> ReadingIndex:
    """Indexes one pack for the plan."""
    return index_entries(decode_pack(pack), fractions)


@dataclass
class PlanShards(beam.PTransform):
    """Packs to the one BuildPlan. Only the index, 24 bytes an image, comes together in one place."""

    settings: PlanSettings

    def expand(self, packs: beam.PCollection[bytes]) -> beam.PCollection[BuildPlan]:
        return (
            packs
            | "Index images" >> beam.Map(index_pack, self.settings.fractions)
            | "Gather indexes" >> beam.combiners.ToList()
            | "Plan shards" >> beam.Map(make_plan, self.settings)
        )


@dataclass
class AssignShards(beam.PTransform):
    """Packs to ``(shard, packs)``; annotations cross the shuffle, pictures do not."""

    plan: beam.pvalue.AsSingleton

    def expand(self, packs: beam.PCollection[bytes]) -> beam.PCollection[tuple[tuple[str, int], list[bytes]]]:
        return (
            packs
            | "Assign shards" >> beam.FlatMap(assign_pack, self.plan).with_output_types(tuple[tuple[str, int], bytes])
            | "Group by shard" >> beam.GroupByKey()
        )
