"""tf.train.Example read back without TensorFlow.

The messages are declared here in a descriptor pool of their own (tensorflow/core/example/example.proto and
feature.proto), so that a process may hold TensorFlow's own ones besides.
"""

from __future__ import annotations

from functools import cache
from typing import Any

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory
from google.protobuf.message import DecodeError

from transforms.examples.wire_format import BYTES, FLOAT, INT64, Value

_PACKAGE = "boxmill.example"
_KINDS = {"bytes_list": BYTES, "float_list": FLOAT, "int64_list": INT64}


class NotAnExample(ValueError):
    """Bytes that are no serialised tf.train.Example; the message says why, in a few words."""


def parse_example(payload: bytes) -> dict[str, Value | None]:
    """The features of a serialised Example by key.

    Returns:
      Kind and values of each; None for a feature that has no list at all.

    Raises:
      NotAnExample: the bytes are broken or cut short.
    """
    message = _example_class()()
    try:
        message.ParseFromString(payload)
    except (DecodeError, UnicodeDecodeError) as error:
        raise NotAnExample(f"its {len(payload)} bytes are broken or cut short ({error})") from None
    return {key: _value(feature) for key, feature in message.features.feature.items()}


def _value(feature: Any) -> Value | None:
    name = feature.WhichOneof("kind")
    return None if name is None else (_KINDS[name], getattr(feature, name).value)


@cache
def _example_class() -> Any:
    file = descriptor_pb2.FileDescriptorProto(name="boxmill/example_message.proto", package=_PACKAGE, syntax="proto3")
    field_type = descriptor_pb2.FieldDescriptorProto
    for name, scalar in (
        ("BytesList", field_type.TYPE_BYTES),
        ("FloatList", field_type.TYPE_FLOAT),
        ("Int64List", field_type.TYPE_INT64),
    ):
        values = file.message_type.add(name=name)
        values.field.add(name="value", number=1, type=scalar, label=field_type.LABEL_REPEATED)
    feature = file.message_type.add(name="Feature")
    feature.oneof_decl.add(name="kind")
    for number, (name, kind) in enumerate(zip(_KINDS, ("BytesList", "FloatList", "Int64List"), strict=True), start=1):
        _add_message_field(feature, name, number, kind).oneof_index = 0
    features = file.message_type.add(name="Features")
    entry = features.nested_type.add(name="FeatureEntry")
    entry.options.map_entry = True
    entry.field.add(name="key", number=1, type=field_type.TYPE_STRING, label=field_type.LABEL_OPTIONAL)
    _add_message_field(entry, "value", 2, "Feature")
    _add_message_field(features, "feature", 1, "Features.FeatureEntry").label = field_type.LABEL_REPEATED
    _add_message_field(file.message_type.add(name="Example"), "features", 1, "Features")
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return message_factory.GetMessageClass(pool.FindMessageTypeByName(f"{_PACKAGE}.Example"))


def _add_message_field(message: Any, name: str, number: int, kind: str) -> Any:
    return message.field.add(
        name=name,
        number=number,
        type=descriptor_pb2.FieldDescriptorProto.TYPE_MESSAGE,
        type_name=f".{_PACKAGE}.{kind}",
        label=descriptor_pb2.FieldDescriptorProto.LABEL_OPTIONAL,
    )
