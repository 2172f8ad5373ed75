from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from tensorflow.core.protobuf import meta_graph_pb2
from tensorflow.python.framework import op_def_registry

from tests.detectors import tiny_models
from transforms.detectors import graph_messages, op_scan
from transforms.detectors.allowed_ops import ALLOWED_OPS

FILE_WORDS = re.compile(r"file|path|prefix|directory|vocab|memory_region|checkpoint|url|address|library")


def test_allowed_ops_exist_and_have_no_argument_that_names_a_file() -> None:
    suspects = {}
    for op in ALLOWED_OPS:
        definition = op_def_registry.get(op)
        assert definition is not None, op
        names = [argument.name for argument in (*definition.input_arg, *definition.attr)]
        if named := [name for name in names if FILE_WORDS.search(name)]:
            suspects[op] = named
    assert suspects == {}


@pytest.mark.parametrize(
    "op",
    [
        "ReadFile",
        "WriteFile",
        "MatchingFiles",
        "WholeFileReaderV2",
        "PyFunc",
        "PyFuncStateless",
        "EagerPyFunc",
        "PrintV2",
        "ImmutableConst",
        "InitializeTableFromTextFileV2",
        "FixedUnigramCandidateSampler",
        "LoadAndRemapMatrix",
        "SaveV2",
        "RestoreV2",
        "TextLineDataset",
        "TFRecordDatasetV2",
        "RemoteCall",
        "XlaCallModule",
    ],
)
def test_ops_that_can_do_more_are_not_allowed(op: str) -> None:
    assert op_def_registry.get(op) is not None, "TensorFlow has no such op"
    assert op not in ALLOWED_OPS


def meta_graph() -> Any:
    """A meta graph as TF2 writes it: a signature and a saver, each a call of a function."""
    message = meta_graph_pb2.MetaGraphDef()
    graph = message.graph_def

    def function(name: str, *ops: str) -> None:
        body = graph.library.function.add()
        body.signature.name = name
        for op in ops:
            body.node_def.add(name=op.lower(), op=op)

    def call(node: str, name: str) -> None:
        added = graph.node.add(name=node, op="StatefulPartitionedCall")
        added.attr["f"].func.name = name

    function("detect", "Identity", "Mul")
    function("save", "ShardedFilename", "SaveV2", "MergeV2Checkpoints")
    function("restore", "RestoreV2", "AssignVariableOp")
    call("StatefulPartitionedCall", "detect")
    call("StatefulPartitionedCall_1", "save")
    call("StatefulPartitionedCall_2", "restore")
    message.signature_def["serving_default"].outputs["detection_boxes"].name = "StatefulPartitionedCall:0"
    message.saver_def.save_tensor_name = "StatefulPartitionedCall_1:0"
    message.saver_def.restore_op_name = "StatefulPartitionedCall_2"
    return message


def scan(message: Any) -> tuple[str, ...]:
    saved_model = b"\x08\x01\x12" + _varint(len(data := message.SerializeToString())) + data
    return op_scan.distrusted_ops_of_saved_model(graph_messages.read_saved_model(saved_model).meta_graphs[0])


def _varint(number: int) -> bytes:
    high, low = divmod(number, 128)
    return bytes([low | 128]) + _varint(high) if high else bytes([low])


def body(message: Any, name: str) -> Any:
    return next(one.node_def for one in message.graph_def.library.function if one.signature.name == name)


def test_a_saver_that_only_its_own_side_reaches_is_excused() -> None:
    assert scan(meta_graph()) == ()


def _signature_calls_saver(message: Any) -> None:
    call = body(message, "detect").add(name="extra", op="PartitionedCall")
    call.attr["f"].func.name = "save"


def _signature_branches_into_saver(message: Any) -> None:
    branch = body(message, "detect").add(name="extra", op="Case")
    branch.attr["branches"].list.func.add().name = "save"


def _signature_calls_saver_by_op(message: Any) -> None:
    body(message, "detect").add(name="extra", op="save")


def _signature_waits_for_saver(message: Any) -> None:
    message.graph_def.node[0].input.append("^StatefulPartitionedCall_1")


def _initialiser_runs_saver(message: Any) -> None:
    message.collection_def["saved_model_main_op"].node_list.value.append("StatefulPartitionedCall_1")


def _object_exports_saver(message: Any) -> None:
    message.object_graph_def.concrete_functions["save"].SetInParent()


def _loading_runs_saver(message: Any) -> None:
    message.graph_def.node[2].input.append("StatefulPartitionedCall_1:0")


SAVING = tuple(sorted(f"{op} in function save" for op in ("MergeV2Checkpoints", "SaveV2", "ShardedFilename")))

ATTACKS = {
    "signature calls it": (_signature_calls_saver, SAVING),
    "signature branches into it": (_signature_branches_into_saver, SAVING),
    "signature calls it by op": (_signature_calls_saver_by_op, SAVING),
    "signature waits for it": (_signature_waits_for_saver, SAVING),
    "initialiser runs it": (_initialiser_runs_saver, SAVING),
    "an object exports it": (_object_exports_saver, SAVING),
    "loading runs it": (_loading_runs_saver, SAVING),
    "saver writes another file": (
        lambda message: body(message, "save").add(name="w", op="WriteFile"),
        ("WriteFile in function save",),
    ),
    "restoring side saves": (
        lambda message: body(message, "restore").add(name="s", op="SaveV2"),
        ("SaveV2 in function restore",),
    ),
    "saving side reads": (
        lambda message: body(message, "save").add(name="r", op="RestoreV2"),
        ("RestoreV2 in function save",),
    ),
    "nobody calls it": (
        lambda message: message.graph_def.node.add(name="lonely", op="ReadFile"),
        ("ReadFile in the graph",),
    ),
}


@pytest.mark.parametrize(("attack", "found"), ATTACKS.values(), ids=ATTACKS)
def test_nothing_else_is_excused(attack: Any, found: tuple[str, ...]) -> None:
    message = meta_graph()
    attack(message)
    assert scan(message) == found


def test_savers_of_real_exports_are_excused(saved_model: Path, tmp_path: Path) -> None:
    old = tiny_models.write_saved_model_v1(tmp_path / "v1", variables=True)
    for folder, call in ((saved_model, "SaveV2"), (old, "SaveV2")):
        [message] = graph_messages.read_saved_model((folder / "saved_model.pb").read_bytes()).meta_graphs
        assert op_scan.count_ops(message.graph_def)[call] == 1
        assert op_scan.distrusted_ops_of_saved_model(message) == ()
        assert any("SaveV2" in op for op in op_scan.distrusted_ops(message.graph_def))


def test_calls_by_function_name_are_not_counted_as_ops() -> None:
    message = meta_graph()
    _signature_calls_saver_by_op(message)
    graph = graph_messages.read_graph(message.graph_def.SerializeToString())
    assert op_scan.count_ops(graph) == {
        "StatefulPartitionedCall": 3,
        "Identity": 1,
        "Mul": 1,
        "ShardedFilename": 1,
        "SaveV2": 1,
        "MergeV2Checkpoints": 1,
        "RestoreV2": 1,
        "AssignVariableOp": 1,
    }
