"""The tables of docs/scale.md: three large runs by the formulas of ``boxmill plan``.

    python -m benchmarks.scale

prints them; a test compares them with the page.
"""

from __future__ import annotations

from collections.abc import Sequence

from pipelines.plan_report import duration, size
from transforms.planning.build_estimate import BuildRates, BuildVolumes, build_stages
from transforms.planning.detect_estimate import DetectRates, DetectVolumes, detect_stages
from transforms.planning.prices import GB, Prices
from transforms.planning.stages import Stage, cost_of, run_with
from transforms.splits.shard_plan import ShardSizing

WORKERS = (1, 10, 100, 1000)
PRICES = Prices()
VIDEO_PRICES = Prices(worker_vcpus=4, worker_memory_gb=16)
_SPLITS = {"train": 0.8, "val": 0.2}
# What a worker of one core did on 640x480 pictures, with the full check; time goes with pixels.
_PICTURES_A_SECOND = 500.0
# COCO: to go through a box, to make the readings of an image. Open Images: to read a box.
_THROUGH_BOX, _READ_IMAGE, _READ_CSV_BOX = 5e-6, 65e-6, 36e-6
_LIST_IMAGE = 14e-6
_RECORD_OVERHEAD, _BOX_BYTES, _LEDGER_BYTES = 600, 45, 30


def _build_volumes(
    images: float, boxes: float, picture: float, annotations: Sequence[float], huge: bool, packed: float
) -> BuildVolumes:
    splits = {name: images * share for name, share in _SPLITS.items()}
    shards = {name: ShardSizing().shards(name, round(number), picture) for name, number in splits.items()}
    val = splits["val"] * (1 + boxes / images)
    return BuildVolumes(
        images=images,
        boxes=boxes,
        listed=images,
        image_bytes=images * picture,
        annotation_files=len(annotations),
        annotation_bytes=sum(annotations),
        units=round(images / 2000) if huge else len(annotations),
        largest_unit=2000 / images if huge else max(annotations) / sum(annotations),
        huge_files=len(annotations) if huge else 0,
        largest_huge_file=max(annotations) / sum(annotations),
        packs=round(max(images / 2000, boxes / 20_000)),
        splits=splits,
        shards=shards,
        record_bytes=images * (picture + _RECORD_OVERHEAD) + boxes * _BOX_BYTES,
        other_bytes=images * _LEDGER_BYTES + val * 125,
        shuffle_bytes=images * packed,
        ground_truth_lines=val,
        picture_bytes=20e6,
    )


def objects365() -> tuple[BuildVolumes, BuildRates]:
    """2 million pictures and 30 million boxes in two COCO files."""
    volumes = _build_volumes(2e6, 30e6, 175e3, [4.6e9, 0.4e9], huge=True, packed=520)
    rates = BuildRates(
        list_image=_LIST_IMAGE,
        go_through=volumes.boxes * _THROUGH_BOX,
        read_image=3 * _READ_IMAGE,  # three times the boxes that it was measured with
        assign_image=60e-6,
        write_image=1 / _PICTURES_A_SECOND,
    )
    return volumes, rates


def open_images() -> tuple[BuildVolumes, BuildRates]:
    """9 million pictures of 1024x768, 16 million boxes in three CSV files."""
    volumes = _build_volumes(9e6, 16e6, 300e3, [1.2e9, 0.02e9, 0.08e9], huge=False, packed=300)
    rates = BuildRates(
        list_image=_LIST_IMAGE,
        go_through=0.0,
        read_image=_READ_CSV_BOX * volumes.boxes / volumes.images,
        assign_image=40e-6,
        write_image=(1024 * 768) / (640 * 480) / _PICTURES_A_SECOND,
    )
    return volumes, rates


def cameras(days: int) -> tuple[DetectVolumes, DetectRates]:
    """100 cameras, a file an hour, 1080p, 25 frames a second at 2 Mbit/s, of which the model sees one a second."""
    videos, seconds = 100 * 24.0 * days, 3600.0
    frames = videos * seconds * 25
    volumes = DetectVolumes(
        videos=videos,
        video_bytes=videos * seconds * 2e6 / 8,
        largest_video=seconds * 2e6 / 8,
        frames=frames,
        processed=frames / 25,
        segments=videos * seconds / 30,
        longest_segment=30,
        frame_bytes=3 * 1920 * 1080,
        frame_result_bytes=4.0,
        processed_result_bytes=450.0,
        video_result_bytes=12_000.0,
        segment_result_bytes=2_500.0,
    )
    # 400 frames decoded a second on four cores, so 16 that the model sees.
    return volumes, DetectRates(probe_byte=1.2e-9, frame=1 / 16, finish_frame=4e-6, load_model=6.0)


def stages_table(stages: Sequence[Stage]) -> list[str]:
    """Of what each stage takes."""
    lines = ["| step | work | pieces | at 1,000 workers | memory |", "|---|---:|---:|---:|---:|"]
    return lines + [
        f"| {stage.name} | {duration(stage.seconds)} | {stage.parts:,} | {duration(stage.elapsed(1000))} "
        f"| {size(stage.memory)} |"
        for stage in stages
    ]


def runs_table(
    stages: Sequence[Stage], prices: Prices, shuffle: float, reads: float, writes: float, load: float = 0.0
) -> list[str]:
    """Of time and cost with more and more workers."""
    lines = ["| workers | time | worker-hours | cost (USD) | what limits |", "|---:|---:|---:|---:|---|"]
    for workers in WORKERS:
        running = run_with(stages, workers, prices.start_seconds + load)
        low, high = cost_of(running, prices, shuffle, reads, writes)
        lines.append(
            f"| {workers:,} | {duration(running.seconds)} | {running.busy_hours:,.0f} | {low:,.0f} – {high:,.0f} "
            f"| {running.limit} |"
        )
    return lines


def build_tables(volumes: BuildVolumes, rates: BuildRates) -> list[str]:
    """Of a build."""
    stages = build_stages(volumes, rates)
    return [
        "| | |",
        "|---|---:|",
        f"| images, boxes | {volumes.images:,.0f}, {volumes.boxes:,.0f} |",
        f"| pictures read | {size(volumes.image_bytes)} |",
        f"| dataset | {size(volumes.output_bytes)} in {volumes.all_shards:,} shards |",
        f"| shuffled | {size(volumes.shuffle_bytes)}, {volumes.shuffle_bytes / volumes.image_bytes:.2%} of that |",
        f"| storage requests | {volumes.reads:,.0f} reads, {volumes.writes:,.0f} writes |",
        f"| storage of the dataset | {volumes.output_bytes / GB * PRICES.storage_gb_month:,.0f} USD a month |",
        "",
        *stages_table(stages),
        "",
        *runs_table(stages, PRICES, volumes.shuffle_bytes, volumes.reads, volumes.writes),
    ]


def detect_tables(volumes: DetectVolumes, rates: DetectRates) -> list[str]:
    """Of a detection."""
    stages = detect_stages(volumes, rates)
    prices = VIDEO_PRICES
    return [
        "| | |",
        "|---|---:|",
        f"| videos | {volumes.videos:,.0f}, {size(volumes.video_bytes)} |",
        f"| frames | {volumes.frames:,.0f}, of which the model sees {volumes.processed:,.0f} |",
        f"| segments | {volumes.segments:,.0f} |",
        f"| results | {size(volumes.output_bytes)} |",
        f"| shuffled | {size(volumes.shuffle_bytes)} |",
        "",
        *stages_table(stages),
        "",
        *runs_table(stages, prices, volumes.shuffle_bytes, volumes.reads, volumes.writes, rates.load_model),
    ]


def tables() -> dict[str, list[str]]:
    """All tables of the page, by what they are about."""
    return {
        "Objects365": build_tables(*objects365()),
        "Open Images": build_tables(*open_images()),
        "one day of 100 cameras": detect_tables(*cameras(1)),
        "one year of 100 cameras": detect_tables(*cameras(365)),
    }


def main() -> None:
    for name, lines in tables().items():
        print(f"{name}\n\n" + "\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
