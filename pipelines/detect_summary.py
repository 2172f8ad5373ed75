"""What a detection run shows: its steps while it runs, and a table of what became of every video at its end."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any

from pipelines.build_summary import table
from pipelines.progress import Step

_SHOWN_VIDEOS = 50


def steps(videos: int) -> list[Step]:
    """The steps of a run. Frames that an earlier run finished are neither done nor to be done."""

    def frames_total(counters: Counter[str]) -> int | None:
        return counters["frames_planned"] - counters["frames_reused"] or None

    return [
        Step("probing", "videos", lambda counters: counters["videos_probed"], lambda counters: videos),
        Step("detecting", "frames", lambda counters: counters["frames_done"], frames_total),
        Step("finishing", "videos", lambda counters: counters["videos_done"], lambda counters: videos),
    ]


def summary(manifest: Mapping[str, Any], folder: str, counters: Mapping[str, int], seconds: float) -> str:
    """The closing table of a run; ``counters`` are those of its end."""
    frames, videos = manifest["counts"]["frames"], manifest["videos"]
    statuses = ", ".join(f"{number} {status}" for status, number in sorted(manifest["counts"]["videos"].items()))
    rows = [_row(video) for video in videos[:_SHOWN_VIDEOS]]
    lines = [
        "",
        f"{len(videos)} video{'s' * (len(videos) != 1)} ({statuses}), {frames.get('expected', 0):,} frames, "
        f"{manifest['counts']['detections']:,} detections in {seconds:.1f} s",
        "",
        *table(["video", "status", "frames", "processed", "skipped", "lost", "suspect", "detections", "why"], rows),
    ]
    if len(videos) > _SHOWN_VIDEOS:
        lines.append(f"… and {len(videos) - _SHOWN_VIDEOS} more in manifest.json")
    lines += ["", *(f"warning: {text}" for text in sorted({text for video in videos for text in video["warnings"]}))]
    lines += [
        f"frames:   {frames.get('expected', 0):,} expected = {frames.get('processed', 0):,} processed + "
        f"{frames.get('skipped', 0):,} skipped + {frames.get('lost', 0):,} lost",
        f"segments: {counters.get('segments_inferred', 0):,} inferred, {counters.get('segments_reused', 0):,} kept "
        "from an earlier run",
        _model_line(counters),
        f"results:  {folder} (manifest.json over all; raw detections for other thresholds in .boxmill/segments)",
    ]
    return "\n".join(lines) + "\n"


def _row(video: Mapping[str, Any]) -> list[str]:
    frames = video["counts"]["frames"]
    numbers = [frames[key] for key in ("expected", "processed", "skipped", "lost", "suspect")]
    return [
        video["video"]["name"],
        video["status"],
        *(f"{number:,}" for number in numbers),
        f"{video['counts']['detections']:,}",
        video["reason"] or "",
    ]


def _model_line(counters: Mapping[str, int]) -> str:
    loads, batches = counters.get("model_loads", 0), counters.get("batches", 0)
    if not loads:
        return "model:    not loaded, nothing was left to infer"
    frames = sum(counters.get(f"frames_{kind}", 0) for kind in ("ok", "suspect"))
    times = "once" if loads == 1 else f"{loads} times"
    line = f"model:    loaded {times} (once a process), {counters.get('load_ms', 0) / loads / 1000:.1f} s each"
    if batches and frames:
        inference, decode = counters.get("inference_ms", 0), counters.get("decode_ms", 0)
        line += (
            f"; {batches:,} batches of {frames / batches:.1f} frames; a frame took {inference / frames:.1f} ms in the "
            f"model and {decode / frames:.1f} ms in the decoder beside it"
        )
    return line
