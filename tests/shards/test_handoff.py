"""The files that start a training: as the trainers and Python themselves read them."""

from __future__ import annotations

import json
import subprocess
import sys
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory, text_format

from tests.sample_data import BuiltDataset, build_dataset, coco_box, coco_bytes, coco_image, jpeg, png, write_files
from transforms.examples import feature_keys as keys
from transforms.shards.handoff import TrainingFacts, garden_config, tfod_config

GARDEN_PYTHON = Path(__file__).resolve().parents[2] / ".venv-garden" / "bin" / "python"
FACTS = TrainingFacts(
    "roads",
    {"train": 100, "val": 9, "test": 5},
    {"train": 4, "val": 1, "test": 1},
    90,
    137,
    frozenset({keys.MASK, "image/object/keypoint/x"}),
    17,
    frozenset({"val"}),
)
PLAIN = TrainingFacts("roads", {"all": 3, "train": 0}, {"all": 1, "train": 0}, 2, 0, frozenset(), 0, frozenset())

# The fields that are used, of object_detection/protos: pipeline, model, ssd, train, eval, input_reader.
MESSAGES: dict[str, list[tuple[str, int, str, bool]]] = {
    "TfRecord": [("input_path", 1, "string", True)],
    "InputReader": [
        ("label_map_path", 1, "string", False),
        ("shuffle", 2, "bool", False),
        ("num_epochs", 5, "uint32", False),
        ("load_instance_masks", 7, "bool", False),
        ("tf_record_input_reader", 8, "TfRecord", False),
        ("mask_type", 10, "MaskType", False),
        ("num_keypoints", 16, "uint32", False),
        ("max_number_of_boxes", 21, "int32", False),
    ],
    "Ssd": [("num_classes", 1, "int32", False)],
    "Model": [("ssd", 2, "Ssd", False)],
    "Train": [("max_number_of_boxes", 20, "int32", False)],
    "Eval": [
        ("num_examples", 2, "uint32", False),
        ("metrics_set", 8, "string", True),
        ("batch_size", 25, "uint32", False),
    ],
    "Pipeline": [
        ("model", 1, "Model", False),
        ("train_config", 2, "Train", False),
        ("train_input_reader", 3, "InputReader", False),
        ("eval_config", 4, "Eval", False),
        ("eval_input_reader", 5, "InputReader", True),
    ],
}


@cache
def pipeline_class() -> Any:
    kinds = descriptor_pb2.FieldDescriptorProto
    file = descriptor_pb2.FileDescriptorProto(name="tfod_fragment.proto", package="fragment", syntax="proto2")
    masks = file.enum_type.add(name="MaskType")
    for number, name in enumerate(("DEFAULT", "NUMERICAL_MASKS", "PNG_MASKS")):
        masks.value.add(name=name, number=number)
    for message, fields in MESSAGES.items():
        entry = file.message_type.add(name=message)
        for name, number, kind, is_repeated in fields:
            field = entry.field.add(name=name, number=number, label=3 if is_repeated else 1)
            if kind in MESSAGES or kind == "MaskType":
                field.type = kinds.TYPE_ENUM if kind == "MaskType" else kinds.TYPE_MESSAGE
                field.type_name = f".fragment.{kind}"
            else:
                field.type = getattr(kinds, f"TYPE_{kind.upper()}")
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return message_factory.GetMessageClass(pool.FindMessageTypeByName("fragment.Pipeline"))


def parsed(facts: TrainingFacts) -> Any:
    return text_format.Parse(tfod_config(facts), pipeline_class()())


def test_object_detection_api() -> None:
    config = parsed(FACTS)
    assert config.model.ssd.num_classes == 90
    assert config.train_config.max_number_of_boxes == 137
    (evaluation,) = config.eval_input_reader
    for reader, split in ((config.train_input_reader, "train"), (evaluation, "val")):
        assert reader.label_map_path == "label_map.pbtxt"
        assert (reader.load_instance_masks, reader.mask_type, reader.num_keypoints) == (True, 2, 17)
        assert reader.max_number_of_boxes == 137
        shards = FACTS.shards[split]
        assert list(reader.tf_record_input_reader.input_path) == [f"roads-{split}.tfrecord-?????-of-{shards:05d}"]
    assert (evaluation.shuffle, evaluation.num_epochs, config.eval_config.num_examples) == (False, 1, 9)
    assert list(config.eval_config.metrics_set) == ["coco_detection_metrics", "coco_mask_metrics"]


def test_without_masks_keypoints_and_boxes() -> None:
    config = parsed(PLAIN)
    assert config.train_config.max_number_of_boxes == 1
    assert not config.train_input_reader.load_instance_masks
    assert not config.train_input_reader.HasField("num_keypoints")
    assert list(config.train_input_reader.tf_record_input_reader.input_path) == ["roads-all.tfrecord-?????-of-00001"]
    assert config.eval_input_reader[0].tf_record_input_reader == config.train_input_reader.tf_record_input_reader


def test_model_garden() -> None:
    config = yaml.safe_load(garden_config(FACTS))
    assert config["task"]["model"] == {"num_classes": 91, "include_mask": True}
    assert config["task"]["annotation_file"] is None
    assert config["task"]["train_data"]["parser"] == {"max_num_instances": 137}
    assert config["task"]["validation_data"]["num_examples"] == 9
    assert (config["trainer"]["steps_per_loop"], config["trainer"]["validation_steps"]) == (12, 2)


CLASSES = [{"id": 2, "name": "cat"}, {"id": 7, "name": "개"}]


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> BuiltDataset:
    """30 images of two formats and sizes with 0 to 5 boxes."""
    folder = tmp_path_factory.mktemp("handoff")
    pictures = {f"{n}.jpg": jpeg(40, 30, n) if n % 3 else png(30, 44, n, "L") for n in range(30)}
    write_files(folder / "images", pictures)
    images = [coco_image(n, f"{n}.jpg", *((40, 30) if n % 3 else (30, 44))) for n in range(30)]
    boxes = [coco_box(10 * n + k, n, [k, k, 9, 9], (2, 7)[k % 2]) for n in range(30) for k in range(n % 6)]
    write_files(folder, {"labels.json": coco_bytes(images, boxes, CLASSES)})
    return build_dataset(folder / "out", folder / "labels.json", folder / "images", "--num_shards=train=2,val=1")


def test_facts_are_those_of_the_data(built: BuiltDataset) -> None:
    config = text_format.Parse((built.folder / "handoff/object_detection_api.config").read_text(), pipeline_class()())
    assert (config.model.ssd.num_classes, config.train_config.max_number_of_boxes) == (7, 5)
    assert config.eval_config.num_examples == built.manifest["splits"]["val"]["records"]
    for reader in (config.train_input_reader, *config.eval_input_reader):
        (pattern,) = reader.tf_record_input_reader.input_path
        assert len(list(built.folder.glob(pattern))) in (1, 2)
    garden = yaml.safe_load((built.folder / "handoff/model_garden.yaml").read_text())
    assert (built.folder / garden["task"]["annotation_file"]).exists()
    assert {
        f"handoff/{name}" for name in ("object_detection_api.config", "model_garden.yaml", "read_dataset.py")
    } <= set(built.manifest["files"])


@pytest.mark.parametrize("split", ["train", "val"])
def test_reader_runs_by_itself(built: BuiltDataset, split: str) -> None:
    """Away from this project, with nothing of it to import."""
    command = [sys.executable, "-I", str(built.folder / "handoff/read_dataset.py"), split]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd="/", timeout=120)
    assert done.returncode == 0, done.stderr
    stated = built.manifest["splits"][split]
    assert done.stdout == f"{split}: {stated['records']} images, {stated['boxes']} boxes\n"


def test_reader_gives_boxes_in_pixels_of_the_scaled_picture(built: BuiltDataset) -> None:
    pytest.importorskip("tensorflow")
    from transforms.shards.read_dataset import read_split

    pictures, targets = next(iter(read_split(built.folder, "val", batch_size=100, side=80).as_numpy_iterator()))
    assert pictures.shape[1:] == (80, 80, 3)
    assert 0 <= pictures.min() < 50 < 200 < pictures.max() <= 255
    is_box = targets["classes"] > 0
    assert set(targets["classes"][is_box].tolist()) <= {2, 7}
    heights = targets["boxes"][is_box][:, 2] - targets["boxes"][is_box][:, 0]
    # 9 pixels of pictures 40 wide become 18; of pictures 44 high 9 * 80 / 44.
    assert {round(float(height), 1) for height in heights} <= {18.0, 16.4}
    assert len(is_box) == built.manifest["splits"]["val"]["records"]


GARDEN_CHECK = """
import json, sys
from official.core import exp_factory
from official.vision import registry_imports
config = exp_factory.get_exp_config(sys.argv[1])
config.override(json.load(sys.stdin), is_strict=True)
config.validate()
print(json.dumps([config.task.model.num_classes, config.task.train_data.parser.max_num_instances,
                  config.task.validation_data.input_path, config.trainer.validation_steps]))
"""


@pytest.mark.skipif(not GARDEN_PYTHON.exists(), reason="no environment of Model Garden; `make garden` makes one")
@pytest.mark.parametrize(
    ("facts", "experiment", "expected"),
    [
        (FACTS, "maskrcnn_resnetfpn_coco", [91, 137, "roads-val.tfrecord-?????-of-00001", 2]),
        (PLAIN, "retinanet_resnetfpn_coco", [3, 1, "roads-all.tfrecord-?????-of-00001", 1]),
    ],
)
def test_model_garden_itself_takes_it(facts: TrainingFacts, experiment: str, expected: list[Any]) -> None:
    text = garden_config(facts)
    assert f"--experiment={experiment} " in text
    command = [str(GARDEN_PYTHON), "-c", GARDEN_CHECK, experiment]
    done = subprocess.run(
        command, input=json.dumps(yaml.safe_load(text)), capture_output=True, text=True, check=False, timeout=300
    )
    assert done.returncode == 0, done.stderr[-2000:]
    assert json.loads(done.stdout.splitlines()[-1]) == expected
