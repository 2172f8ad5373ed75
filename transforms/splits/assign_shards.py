"""Plans the shards from an index of all images, and sends each image's metadata to its shard."""

from __future__ import annotations

import pickle
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import apache_beam as beam

from transforms.annotations.pack_store import IN_MEMORY, PackStore, fetched
from transforms.annotations.packs import Entry, PackedImage, decode_pack, encode_pack
from transforms.annotations.refusals import DUP_IMAGE_REMEDY, refuse_image
from transforms.ledger.reasons import Reason
from transforms.records import Rejection
from transforms.splits.build_plan import BuildPlan, PlanSettings, make_plan
from transforms.splits.content_groups import PictureHashes
from transforms.splits.reading_index import ReadingIndex, index_entries, order_hash
from transforms.splits.shard_plan import REJECTED, ShardKey


def assign_pack(pack: bytes, plan: BuildPlan, store: PackStore = IN_MEMORY) -> Iterator[tuple[ShardKey, bytes]]:
    """Divides a pack among the shards.

    A name that several annotations have is refused for all of them – which one was meant is unknown –, and so is an
    image that no split is given.
    """
    shards: defaultdict[ShardKey, list[Entry]] = defaultdict(list)
    repeated = plan.shards.repeated_keys
    for entry in decode_pack(pack):
        if isinstance(entry, PackedImage):
            if repeated and order_hash(entry.key) in repeated:
                detail = f"more than one annotation is for the image {entry.key}; {DUP_IMAGE_REMEDY}"
                shards[REJECTED].append(_refused(entry, Reason.DUP_IMAGE_NAME, detail))
            elif plan.shards.is_left_out(entry):
                shards[REJECTED].append(_left_out(entry))
            elif split := plan.shards.split_of(entry):
                shards[plan.shards.shard_of(split, entry.key)].append(entry)
            else:
                shards[REJECTED].append(_refused(entry, Reason.SPLIT_MISSING, "its source puts it in no split"))
        elif isinstance(entry, Rejection):
            shards[REJECTED].append(entry)
    for shard, entries in shards.items():
        yield shard, store.put(encode_pack(entries))


def _refused(entry: PackedImage, reason: Reason, detail: str) -> Rejection:
    return refuse_image(entry.unpack(), reason, detail)._replace(key=entry.key)


def _left_out(entry: PackedImage) -> Rejection:
    image = entry.unpack()
    return Rejection(
        Reason.LEFT_OUT,
        "its source has more images than are wanted of it",
        file_name=image.file_name,
        image_id=image.image_id,
        is_image=False,  # not counted among the images read
        source=image.source,
        annotation_file=image.annotation_file,
    )


def index_pack(pack: bytes, settings: PlanSettings) -> ReadingIndex:
    """Indexes one pack for the plan."""
    return index_entries(decode_pack(pack), settings.rule, tuple(settings.caps))


def _packed_index(pack: bytes, settings: PlanSettings, store: PackStore) -> bytes:
    return store.put(pickle.dumps(index_pack(pack, settings), protocol=5))


def _plan(
    indexes: Iterable[bytes], settings: PlanSettings, pictures: Sequence[PictureHashes] | None = None
) -> BuildPlan:
    return make_plan([pickle.loads(fetched(index)) for index in indexes], settings, pictures)


@dataclass
class PlanShards(beam.PTransform):
    """Packs to the one BuildPlan. Only the index, 24 bytes an image, comes together in one place.

    Attributes:
      settings: of the plan.
      pictures: hashes of the pictures, if they are split by content.
      store: of the index.
    """

    settings: PlanSettings
    pictures: beam.pvalue.AsList | None = None
    store: PackStore = IN_MEMORY

    def expand(self, packs: beam.PCollection[bytes]) -> beam.PCollection[BuildPlan]:
        return (
            packs
            | "Index images" >> beam.Map(_packed_index, self.settings, self.store)
            | "Gather indexes" >> beam.combiners.ToList()
            | "Plan shards" >> beam.Map(_plan, self.settings, self.pictures)
        )


@dataclass
class AssignShards(beam.PTransform):
    """Packs to ``(shard, packs)``; annotations cross the shuffle, pictures do not.

    Attributes:
      plan: a BuildPlan.
      store: of the packs.
    """

    plan: beam.pvalue.AsSingleton
    store: PackStore = IN_MEMORY

    def expand(self, packs: beam.PCollection[bytes]) -> beam.PCollection[tuple[tuple[str, int], list[bytes]]]:
        return (
            packs
            | "Assign shards"
            >> beam.FlatMap(assign_pack, self.plan, self.store).with_output_types(tuple[tuple[str, int], bytes])
            | "Group by shard" >> beam.GroupByKey()
        )
