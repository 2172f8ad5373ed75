"""``boxmill demo``: makes a small sample, builds and verifies a dataset of it, and runs a tiny detector over a clip."""

from __future__ import annotations

import importlib.util
import os
import sys
from collections.abc import Sequence

from pipelines.flags import HELP_FLAGS

_HELP = """Makes a small sample in FOLDER/sample, builds FOLDER/datasets/shapes from it and verifies that;
then runs a tiny detector, made in code too, over a clip (if the video packages are installed).

Usage: boxmill demo [FOLDER]     (default: demo)
"""

_READING = """
The dataset is in {dataset}. Read it with

    import tensorflow_datasets as tfds
    data = tfds.builder_from_directory("{dataset}").as_dataset(split="train")

or name its files in a config of the TF Object Detection API or Model Garden:

    input_path: "{dataset}/shapes-train.tfrecord-*"
    label_map_path: "{dataset}/label_map.pbtxt"

What was repaired or rejected, and why, is in {dataset}/ledger:

    import glob, pyarrow.dataset
    pyarrow.dataset.dataset(glob.glob("{dataset}/ledger/images-*.parquet")).to_table().to_pylist()
"""


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the command; returns its exit code."""
    argv = sys.argv[1:] if argv is None else list(argv)
    if HELP_FLAGS & set(argv):
        print(_HELP, end="")
        return 0
    folder = argv[0] if argv else "demo"
    from pipelines import build_tfrecords, verify_tfrecords
    from pipelines.demo_sample import write_sample

    sample, datasets = os.path.join(folder, "sample"), os.path.join(folder, "datasets")
    write_sample(sample)
    command = [f"--annotations={sample}/annotations", f"--images={sample}/images", f"--output={datasets}"]
    command += ["--name=shapes", "--num_shards=train=4,val=2", "--overwrite"]
    print("$ boxmill build " + " ".join(command), flush=True)
    code = build_tfrecords.main(command)
    if code not in (build_tfrecords.EXIT_WRITTEN, build_tfrecords.EXIT_SOME_REJECTED):
        return code
    dataset = os.path.join(datasets, "shapes", "1.0.0")
    print(f"\n$ boxmill verify {dataset}", flush=True)
    code = verify_tfrecords.main([dataset])
    if code == 0:
        print(_READING.format(dataset=dataset), end="")
        code = _detect(folder, sample)
    return code


def _detect(folder: str, sample: str) -> int:
    """Runs the demonstration detector over a clip."""
    missing = [name for name in ("av", "tensorflow") if importlib.util.find_spec(name) is None]
    if missing:
        print(f"\nboxmill detect is left out: it needs {' and '.join(missing)} (pip install 'boxmill[video]')")
        return 0
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    from pipelines import detect_video
    from pipelines.demo_sample import write_video
    from transforms.detectors.demo_model import write_shapes_detector

    write_video(os.path.join(sample, "shapes.mp4"))
    write_shapes_detector(os.path.join(sample, "detector"))
    found = os.path.join(folder, "found")
    command = [f"--videos={sample}/shapes.mp4", f"--model={sample}/detector", f"--output={found}"]
    command += ["--exports=coco,jsonl", "--annotated_video"]
    print("\n$ boxmill detect " + " ".join(command), flush=True)
    code = detect_video.main(command)
    if code == 0:
        print(f"\nWatch {found}/shapes-*/annotated.mp4, or read {found}/shapes-*/detections.parquet.")
    return code


if __name__ == "__main__":
    sys.exit(main())
