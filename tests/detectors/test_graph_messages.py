from __future__ import annotations

from pathlib import Path

import pytest
import tensorflow as tf
from tensorflow.core.protobuf import saved_model_pb2

from tests.detectors import tiny_models
from transforms.detectors import graph_messages


def test_saved_model_reads_as_tensorflow_reads_it(saved_model: Path) -> None:
    data = (saved_model / "saved_model.pb").read_bytes()
    [theirs] = saved_model_pb2.SavedModel.FromString(data).meta_graphs
    [ours] = graph_messages.read_saved_model(data).meta_graphs
    assert list(ours.meta_info_def.tags) == list(theirs.meta_info_def.tags) == ["serve"]
    assert ours.meta_info_def.tensorflow_version == theirs.meta_info_def.tensorflow_version == tf.__version__
    for name in ("filename_tensor_name", "save_tensor_name", "restore_op_name"):
        assert getattr(ours.saver_def, name) == getattr(theirs.saver_def, name) != ""
    assert set(ours.object_graph_def.concrete_functions) == set(theirs.object_graph_def.concrete_functions) != set()
    assert set(ours.collection_def) == set(theirs.collection_def)
    assert set(ours.signature_def) == set(theirs.signature_def)
    our_signature, their_signature = (one.signature_def["serving_default"] for one in (ours, theirs))
    assert set(our_signature.outputs) == set(tiny_models.CORE)
    for name in tiny_models.CORE:
        our_tensor, their_tensor = our_signature.outputs[name], their_signature.outputs[name]
        assert our_tensor.name == their_tensor.name
        assert graph_messages.data_type(our_tensor.dtype) == tf.dtypes.as_dtype(their_tensor.dtype).name
        assert (
            list(graph_messages.dimensions(our_tensor.tensor_shape) or ())
            == tf.TensorShape(their_tensor.tensor_shape).as_list()
        )
    our_functions = {one.signature.name: one.node_def for one in ours.graph_def.library.function}
    their_functions = {one.signature.name: one.node_def for one in theirs.graph_def.library.function}
    assert our_functions.keys() == their_functions.keys()
    for name, nodes in their_functions.items():
        assert [(node.name, node.op, list(node.input)) for node in our_functions[name]] == [
            (node.name, node.op, list(node.input)) for node in nodes
        ]
        assert [{key: value.func.name for key, value in node.attr.items()} for node in our_functions[name]] == [
            {key: value.func.name for key, value in node.attr.items()} for node in nodes
        ]


def test_graph_reads_as_tensorflow_reads_it(frozen: Path) -> None:
    theirs = tf.compat.v1.GraphDef.FromString(frozen.read_bytes())
    ours = graph_messages.read_graph(frozen.read_bytes())
    assert [(node.name, node.op, list(node.input)) for node in ours.node] == [
        (node.name, node.op, list(node.input)) for node in theirs.node
    ]


def test_neither_reads_as_the_other(saved_model: Path, frozen: Path) -> None:
    with pytest.raises(ValueError, match="schema version is 0"):
        graph_messages.read_saved_model(frozen.read_bytes())
    with pytest.raises(ValueError, match="no node"):
        graph_messages.read_graph((saved_model / "saved_model.pb").read_bytes())


DATA_TYPES = {number: tf.dtypes.as_dtype(number).name for number in (1, 2, 3, 4, 5, 6, 7, 9, 10, 14, 17, 19, 20)}


@pytest.mark.parametrize(("number", "name"), DATA_TYPES.items(), ids=DATA_TYPES.values())
def test_data_types_have_tensorflows_names(number: int, name: str) -> None:
    assert graph_messages.data_type(number) == name


def test_reference_and_unknown_data_types() -> None:
    assert graph_messages.data_type(101) == "float32"
    assert graph_messages.data_type(99) == "type 99"
