"""TensorFlow's SavedModel and GraphDef messages, read without TensorFlow.

Looking at a model must not run any of it, and must not cost the seconds that importing TensorFlow takes. So
the fields that an inspection needs are declared here, in a descriptor pool of their own; everything else in
a file (weights above all) is skipped as unknown fields. Field numbers:
tensorflow/core/protobuf/saved_model.proto, meta_graph.proto, saver.proto, saved_object_graph.proto and
tensorflow/core/framework/graph.proto, node_def.proto, attr_value.proto, function.proto, op_def.proto,
tensor_shape.proto.
"""

from __future__ import annotations

from functools import cache
from typing import Any

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory
from google.protobuf.message import DecodeError

_PACKAGE = "boxmill.graph"

# Message -> fields as "name number type"; "*" repeats, "map" has string keys, a capital letter is a message.
_MESSAGES: dict[str, tuple[str, ...]] = {
    "SavedModel": ("saved_model_schema_version 1 int64", "meta_graphs 2 MetaGraph*"),
    "MetaGraph": (
        "meta_info_def 1 MetaInfo",
        "graph_def 2 GraphDef",
        "saver_def 3 Saver",
        "collection_def 4 map Collection",
        "signature_def 5 map Signature",
        "object_graph_def 7 ObjectGraph",
    ),
    "MetaInfo": ("tags 4 string*", "tensorflow_version 5 string"),
    "Saver": (
        "filename_tensor_name 1 string",
        "save_tensor_name 2 string",
        "restore_op_name 3 string",
    ),
    "Collection": ("node_list 1 NodeList",),
    "NodeList": ("value 1 string*",),
    "Signature": ("inputs 1 map TensorInfo", "outputs 2 map TensorInfo", "method_name 3 string"),
    "TensorInfo": ("name 1 string", "dtype 2 int32", "tensor_shape 3 Shape"),
    "Shape": ("dim 2 Dimension*", "unknown_rank 3 bool"),
    "Dimension": ("size 1 int64",),
    "ObjectGraph": ("concrete_functions 2 map ConcreteFunction",),
    "ConcreteFunction": (),
    "GraphDef": ("node 1 Node*", "library 2 Library"),
    "Node": ("name 1 string", "op 2 string", "input 3 string*", "attr 5 map Attribute"),
    "Attribute": ("list 1 AttributeList", "type 6 int32", "shape 7 Shape", "func 10 FunctionName"),
    "AttributeList": ("func 9 FunctionName*",),
    "FunctionName": ("name 1 string",),
    "Library": ("function 1 Function*",),
    "Function": ("signature 1 FunctionSignature", "node_def 3 Node*"),
    "FunctionSignature": ("name 1 string",),
}

_DATA_TYPES = {
    1: "float32",
    2: "float64",
    3: "int32",
    4: "uint8",
    5: "int16",
    6: "int8",
    7: "string",
    9: "int64",
    10: "bool",
    14: "bfloat16",
    17: "uint16",
    19: "float16",
    20: "resource",
    21: "variant",
    22: "uint32",
    23: "uint64",
}

_FIRST_REFERENCE_TYPE = 100  # DT_FLOAT_REF is DT_FLOAT + 100: what a TF1 variable's own output is.


def read_saved_model(data: bytes) -> Any:
    """The SavedModel message in ``data``.

    Raises:
      ValueError: ``data`` is no SavedModel; the text says why, in a few words.
    """
    saved_model = _parse("SavedModel", data)
    # Protobuf skips what it does not know, so that many other messages parse as an empty SavedModel.
    if saved_model.saved_model_schema_version != 1:
        raise ValueError(f"its schema version is {saved_model.saved_model_schema_version}, not 1")
    if not saved_model.meta_graphs:
        raise ValueError("it holds no graph")
    return saved_model


def read_graph(data: bytes) -> Any:
    """The GraphDef message in ``data``.

    Raises:
      ValueError: ``data`` is no GraphDef; the text says why, in a few words.
    """
    graph = _parse("GraphDef", data)
    if not any(node.name and node.op for node in graph.node):
        raise ValueError("it holds no node")
    return graph


def data_type(number: int) -> str:
    """NumPy's name of a TensorFlow data type; a TF1 reference type counts as its value type."""
    value_type = number - _FIRST_REFERENCE_TYPE if number > _FIRST_REFERENCE_TYPE else number
    return _DATA_TYPES.get(value_type, f"type {number}")


def dimensions(shape: Any) -> tuple[int | None, ...] | None:
    """Sizes of a shape message, None for each unknown one; None for a shape of unknown rank."""
    if shape.unknown_rank:
        return None
    return tuple(None if dimension.size < 0 else int(dimension.size) for dimension in shape.dim)


def _parse(message: str, data: bytes) -> Any:
    parsed = _message_class(message)()
    try:
        parsed.ParseFromString(data)
    except (DecodeError, UnicodeDecodeError) as error:
        raise ValueError("its bytes are broken or cut short") from error
    return parsed


@cache
def _message_class(name: str) -> Any:
    pool = _pool()
    return message_factory.GetMessageClass(pool.FindMessageTypeByName(f"{_PACKAGE}.{name}"))


@cache
def _pool() -> Any:
    file = descriptor_pb2.FileDescriptorProto(name="boxmill/graph_messages.proto", package=_PACKAGE, syntax="proto3")
    for name, fields in _MESSAGES.items():
        message = file.message_type.add(name=name)
        for field in fields:
            _add_field(message, *field.split(" ", 2))
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return pool


def _add_field(message: Any, name: str, number: str, kind: str) -> None:
    field = message.field.add(name=name, number=int(number))
    field.label = field.LABEL_REPEATED if kind.endswith("*") or kind.startswith("map ") else field.LABEL_OPTIONAL
    if kind.startswith("map "):
        entry_name = "".join(part.capitalize() for part in name.split("_")) + "Entry"
        entry = message.nested_type.add(name=entry_name)
        entry.options.map_entry = True
        _add_field(entry, "key", "1", "string")
        _add_field(entry, "value", "2", kind.removeprefix("map "))
        field.type = field.TYPE_MESSAGE
        field.type_name = f".{_PACKAGE}.{message.name}.{entry_name}"
        return
    kind = kind.removesuffix("*")
    scalars = {"string": field.TYPE_STRING, "int64": field.TYPE_INT64, "int32": field.TYPE_INT32}
    scalars["bool"] = field.TYPE_BOOL
    if kind in scalars:
        field.type = scalars[kind]
    else:
        field.type = field.TYPE_MESSAGE
        field.type_name = f".{_PACKAGE}.{kind}"
