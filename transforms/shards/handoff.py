"""Files that start a training: configuration for two trainers, filled from the data, and a reader to copy from.

The fields are those of object_detection/protos (pipeline, train, eval, input_reader) of the TF Object Detection API and
of official/vision/configs (retinanet, maskrcnn) of Model Garden. Paths start from the dataset's folder, which may move.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib import resources

from transforms.examples import feature_keys as keys
from transforms.shards.dataset_folder import HANDOFF_FOLDER
from transforms.shards.leakage import training_split

TFOD_FILE = f"{HANDOFF_FOLDER}/object_detection_api.config"
GARDEN_FILE = f"{HANDOFF_FOLDER}/model_garden.yaml"
READER_FILE = f"{HANDOFF_FOLDER}/read_dataset.py"
HANDOFF_FILES = (TFOD_FILE, GARDEN_FILE, READER_FILE)
_BATCH = 8


@dataclass(frozen=True, slots=True)
class TrainingFacts:
    """What a trainer must know of a dataset.

    Attributes:
      name: of the dataset.
      records: of each split, in order.
      shards: of each split.
      max_class_id: ids count from 1 and may have gaps.
      max_boxes: of any record.
      optional_keys: that some record has.
      num_keypoints: K of each object.
      ground_truth_splits: splits that have a COCO file.
    """

    name: str
    records: Mapping[str, int]
    shards: Mapping[str, int]
    max_class_id: int
    max_boxes: int
    optional_keys: frozenset[str]
    num_keypoints: int
    ground_truth_splits: frozenset[str]

    @property
    def train_split(self) -> str:
        return training_split(self.records)

    @property
    def eval_split(self) -> str:
        """The split to evaluate with: val, or test, or another that has images; else the one to train with."""
        others = [split for split, records in self.records.items() if records and split != self.train_split]
        return next((split for split in ("val", "test", *others) if split in others), self.train_split)

    @property
    def has_masks(self) -> bool:
        return keys.MASK in self.optional_keys

    @property
    def has_keypoints(self) -> bool:
        return any("/keypoint/" in key for key in self.optional_keys)

    def pattern(self, split: str) -> str:
        """Of the files of a split."""
        return f"{self.name}-{split}.tfrecord-?????-of-{self.shards[split]:05d}"


def handoff_texts(facts: TrainingFacts) -> dict[str, str]:
    """The files by their names in the dataset's folder."""
    return {TFOD_FILE: tfod_config(facts), GARDEN_FILE: garden_config(facts), READER_FILE: _reader()}


def _reader() -> str:
    """``read_dataset.py`` of this package: the same for all datasets, since it goes by their manifests."""
    return resources.files(__package__).joinpath("read_dataset.py").read_text("utf-8")


def tfod_config(facts: TrainingFacts) -> str:
    """A fragment of the pipeline.config of the TF Object Detection API, as protobuf text."""
    boxes = max(facts.max_boxes, 1)
    metrics = ["coco_detection_metrics", *(["coco_mask_metrics"] if facts.has_masks else [])]
    lines = [
        "# To merge into a pipeline.config; ssd stands for your kind of model. Paths start from the dataset's folder.",
        f"# {_counts(facts)}.",
        f"model {{ ssd {{ num_classes: {facts.max_class_id} }} }}  # the largest id of label_map.pbtxt",
        f"train_config {{ max_number_of_boxes: {boxes} }}  # the most that any image has",
        *_tfod_reader("train_input_reader", facts, facts.train_split, ()),
        "eval_config {",
        f"  num_examples: {facts.records[facts.eval_split]}",
        *(f'  metrics_set: "{name}"' for name in metrics),
        "  batch_size: 1",
        "}",
        *_tfod_reader("eval_input_reader", facts, facts.eval_split, ("shuffle: false", "num_epochs: 1")),
    ]
    return "\n".join(lines) + "\n"


def _tfod_reader(field: str, facts: TrainingFacts, split: str, more: Sequence[str]) -> list[str]:
    masks = ["load_instance_masks: true", "mask_type: PNG_MASKS"] if facts.has_masks else []
    keypoints = [f"num_keypoints: {facts.num_keypoints}"] if facts.has_keypoints else []
    return [
        f"{field} {{",
        '  label_map_path: "label_map.pbtxt"',
        *(f"  {line}" for line in (*more, f"max_number_of_boxes: {max(facts.max_boxes, 1)}", *masks, *keypoints)),
        f'  tf_record_input_reader {{ input_path: "{facts.pattern(split)}" }}',
        "}",
    ]


def garden_config(facts: TrainingFacts) -> str:
    """A ``--config_file`` for Model Garden, to override an experiment's own configuration."""
    experiment = "maskrcnn_resnetfpn_coco" if facts.has_masks else "retinanet_resnetfpn_coco"
    train, evaluation = facts.records[facts.train_split], facts.records[facts.eval_split]
    steps = max(1, train // _BATCH)
    # With masks, Model Garden takes the ground truth from the records: they say which objects' masks are not known.
    has_file = facts.eval_split in facts.ground_truth_splits and not facts.has_masks
    lines = [
        f"# For --experiment={experiment} --config_file=handoff/model_garden.yaml, from the dataset's folder.",
        f"# {_counts(facts)}. Set both batch sizes to what your machine holds, and the steps with them.",
        "task:",
        f"  annotation_file: {HANDOFF_FOLDER}/{facts.name}-{facts.eval_split}.coco.json"
        if has_file
        else "  annotation_file: null",
        "  model:",
        f"    num_classes: {facts.max_class_id + 1}  # the largest id, and 0 for the background",
        *(["    include_mask: true"] if facts.has_masks else []),
        *_garden_data("train_data", facts, facts.train_split, is_training=True),
        *_garden_data("validation_data", facts, facts.eval_split, is_training=False),
        "trainer:",
        *(f"  {name}: {steps}" for name in ("steps_per_loop", "summary_interval", "checkpoint_interval")),
        f"  validation_interval: {steps}",
        f"  validation_steps: {max(1, math.ceil(evaluation / _BATCH))}",
    ]
    return "\n".join(lines) + "\n"


def _garden_data(field: str, facts: TrainingFacts, split: str, *, is_training: bool) -> list[str]:
    return [
        f"  {field}:",
        f"    input_path: {facts.pattern(split)}",
        f"    is_training: {str(is_training).lower()}",
        f"    global_batch_size: {_BATCH}",
        f"    drop_remainder: {str(is_training).lower()}",
        *([f"    num_examples: {facts.records[split]}"] if facts.has_masks else []),
        "    parser:",
        f"      max_num_instances: {max(facts.max_boxes, 1)}  # the most that any image has",
    ]


def _counts(facts: TrainingFacts) -> str:
    return ", ".join(f"{split}: {records} images" for split, records in facts.records.items())
