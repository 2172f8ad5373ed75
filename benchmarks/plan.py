"""``boxmill plan`` beside the run that it plans: counts, bytes and seconds of both, and their ratios.

    python -m benchmarks.plan [--shared=../shared/real] [--images=20000] [--only=voc,coco,generated,detect]

Data that is not there is passed over: voc (BCCD), coco (padilla) and detect need a folder of public data. Every command
is a whole process, start-up included; the time of the plan is its ``here``. Outputs and samples go to --outputs, in
memory by default, as in benchmarks/build.py. The machine should be idle.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from benchmarks.processes import run
from benchmarks.sample_images import write_dataset

_MODEL = "models/tf1_frozen_ssd_mobilenet_v1_075_coco/frozen_inference_graph.pb"
_VIDEO = "video/imageio/cockatoo.mp4"
# What a plan promises, as shares: of counts and bytes, and of time.
_CLOSE, _CLOSE_IN_TIME = 0.20, 0.35


def compare(name: str, command: str, flags: Sequence[str], outputs: Path) -> bool:
    """Plans, runs and prints both; whether the plan was close."""
    environment = {**os.environ, "TMPDIR": str(outputs)}
    boxmill = [sys.executable, "-m", "pipelines.cli"]
    target = outputs / "out"
    shutil.rmtree(target, ignore_errors=True)
    flags = [*flags, f"--output={target}"]
    planning = run([*boxmill, "plan", command, *flags, "--plan_json"], environment)
    planned = json.loads(planning.output[planning.output.index("{\n") :])
    finished = run([*boxmill, command, *flags], environment)
    if command == "build":
        [manifest_path] = target.glob("*/*/manifest.json")
        rows = _build_rows(planned, json.loads(manifest_path.read_text()))
    else:
        rows = _detect_rows(planned, json.loads((target / "manifest.json").read_text()))
    size = sum(path.stat().st_size for path in target.rglob("*") if path.is_file())
    rows["bytes written"] = (planned["bytes"]["dataset" if command == "build" else "results"]["value"], size)
    shutil.rmtree(target)
    print(f"\n{name}: the plan took {planning.seconds:.1f} s")
    print(f"{'':<24}{'plan':>16}{'run':>16}{'plan / run':>12}")
    is_close = [_row(what, *pair, _CLOSE) for what, pair in rows.items()]
    is_close.append(_row("seconds", planned["here"]["seconds"], finished.seconds, _CLOSE_IN_TIME))
    return all(is_close)


def _build_rows(planned: Mapping[str, Any], manifest: Mapping[str, Any]) -> dict[str, tuple[float, float]]:
    counts, splits = manifest["counts"], manifest["splits"]
    rows = {
        "images": (planned["counts"]["images"]["value"], counts["images"]["read"]),
        "boxes": (planned["counts"]["boxes"]["value"], counts["boxes"]["read"]),
    }
    for name, split in splits.items():
        rows[f"{name} images"] = (planned["splits"][name]["images"], split["records"])
        rows[f"{name} shards"] = (planned["splits"][name]["shards"], len(split["shards"]))
    rows["bytes of shards"] = (planned["bytes"]["shards"]["value"], sum(split["bytes"] for split in splits.values()))
    return rows


def _detect_rows(planned: Mapping[str, Any], manifest: Mapping[str, Any]) -> dict[str, tuple[float, float]]:
    counts, expected = manifest["counts"], planned["counts"]
    return {
        "frames": (expected["frames"]["value"], counts["frames"]["expected"]),
        "frames to detect in": (expected["frames to detect in"]["value"], counts["frames"]["processed"]),
        "segments": (expected["segments"]["value"], counts["segments"]),
        "detections": (expected["detections"]["value"], counts["detections"]),
    }


def _row(what: str, planned: float, real: float, tolerance: float) -> bool:
    ratio = planned / real if real else float("nan")
    is_close = abs(planned - real) <= tolerance * real
    print(f"{what:<24}{planned:>16,.1f}{real:>16,.1f}{ratio:>12.2f}{'' if is_close else '   !'}")
    return is_close


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--shared", type=Path, default=Path("../shared/real"))
    parser.add_argument("--images", type=int, default=20_000)
    parser.add_argument("--folder", type=Path, default=Path("/tmp/boxmill-benchmark"))
    parser.add_argument("--outputs", type=Path, default=Path("/dev/shm/boxmill-plan"))
    parser.add_argument("--only", default="voc,coco,generated,detect")
    options = parser.parse_args()
    options.outputs.mkdir(parents=True, exist_ok=True)
    bccd, padilla = options.shared / "ann/bccd/BCCD", options.shared / "ann/padilla/data/database"
    made = options.folder / f"images{options.images}"
    if "generated" in options.only and not made.exists():
        write_dataset(made, options.images)
    header = "--image_check=header"
    model, video = options.shared / _MODEL, options.shared / _VIDEO
    runs = {
        "voc": ("build", [f"--annotations={bccd}/Annotations", f"--images={bccd}/JPEGImages", "--name=a"]),
        "coco": ("build", [f"--annotations={padilla}/gts/coco_format_v1", f"--images={padilla}/images", "--name=a"]),
        "generated": ("build", [f"--annotations={made}/instances.json", f"--images={made}/images", "--name=a", header]),
        "detect": ("detect", [f"--videos={video}", f"--model={model}", "--exports=coco,jsonl"]),
    }
    is_close = True
    for name in options.only.split(","):
        command, flags = runs[name]
        if all(Path(flag.partition("=")[2]).exists() for flag in flags[:2]):
            is_close &= compare(name, command, flags, options.outputs)
        else:
            print(f"\n{name}: left out, the data is not there")
    print("\nall within the margins" if is_close else "\nrows with ! are out of the margins")
    return 0 if is_close else 2


if __name__ == "__main__":
    sys.exit(main())
