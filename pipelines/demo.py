"""``boxmill demo``: makes a small sample, builds a dataset of it, verifies it, and says how to read it."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence

from pipelines.flags import HELP_FLAGS

_HELP = """Makes a small sample in FOLDER/sample, builds FOLDER/datasets/shapes from it and verifies that.

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

    import pyarrow.dataset as ds
    ds.dataset([...glob("{dataset}/ledger/images-*.parquet")]).to_table().to_pylist()
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
    return code


if __name__ == "__main__":
    sys.exit(main())
