"""Which ops a graph holds, and which of them are not known to only compute.

The scan covers the main graph and every library function, used or not. One exception: a SavedModel holds the
ops that wrote and will read its own variables. They are excused only where the model's saver alone can reach
them, never where a signature, an initialiser or an exported function can, so that no inference can run them.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from transforms.detectors.allowed_ops import ALLOWED_OPS

_SAVING_OPS = frozenset({"Save", "SaveSlices", "SaveV2", "MergeV2Checkpoints", "ShardedFilename", "ShardedFilespec"})
_RESTORING_OPS = frozenset({"Restore", "RestoreSlice", "RestoreV2"})


@dataclass(frozen=True, slots=True)
class _Reach:
    """Nodes of the main graph, and functions, that running something can run."""

    nodes: set[str] = field(default_factory=set)
    functions: set[str] = field(default_factory=set)

    def holds(self, node: Any, function: str) -> bool:
        return function in self.functions if function else node.name in self.nodes


def count_ops(graph: Any) -> dict[str, int]:
    """How often each op stands in a GraphDef and its library, calls of library functions by name left out."""
    functions = {function.signature.name for function in graph.library.function}
    return dict(Counter(node.op for _, node in _nodes(graph) if node.op not in functions))


def distrusted_ops(graph: Any) -> tuple[str, ...]:
    """Ops of a GraphDef that are not known to only compute, as "WriteFile in the graph", sorted."""
    return _distrusted(graph, saving=_Reach(), restoring=_Reach(), used=_Reach())


def distrusted_ops_of_saved_model(meta_graph: Any) -> tuple[str, ...]:
    """As ``distrusted_ops``, with the ops that only the saver of a MetaGraphDef can reach excused."""
    graph, saver = meta_graph.graph_def, meta_graph.saver_def
    outputs = [output.name for signature in meta_graph.signature_def.values() for output in signature.outputs.values()]
    collections = [name for one in meta_graph.collection_def.values() for name in one.node_list.value]
    return _distrusted(
        graph,
        saving=_reach(graph, [saver.save_tensor_name]),
        restoring=_reach(graph, [saver.restore_op_name]),
        used=_reach(graph, outputs + collections, meta_graph.object_graph_def.concrete_functions),
    )


def _distrusted(graph: Any, *, saving: _Reach, restoring: _Reach, used: _Reach) -> tuple[str, ...]:
    functions = {function.signature.name for function in graph.library.function}
    found = set()
    for function, node in _nodes(graph):
        if node.op in ALLOWED_OPS or node.op in functions:
            continue
        if not used.holds(node, function):
            if node.op in _RESTORING_OPS and restoring.holds(node, function):
                continue
            # Loading runs the restoring side, so that what can be reached from there must not write.
            if node.op in _SAVING_OPS and saving.holds(node, function) and not restoring.holds(node, function):
                continue
        found.add(f"{node.op} in {f'function {function}' if function else 'the graph'}")
    return tuple(sorted(found))


def _nodes(graph: Any) -> Iterator[tuple[str, Any]]:
    """All nodes, each with the name of its function, "" for the main graph."""
    for node in graph.node:
        yield "", node
    for function in graph.library.function:
        for node in function.node_def:
            yield function.signature.name, node


def _reach(graph: Any, tensors: Iterable[str], functions: Iterable[str] = ()) -> _Reach:
    """What running the given tensors or ops of the main graph, or the given functions, can run."""
    nodes = {node.name: node for node in graph.node}
    bodies = {function.signature.name: function.node_def for function in graph.library.function}
    reach = _Reach()
    called = [name for name in functions if name in bodies]
    open_nodes = [_node_name(tensor) for tensor in tensors]
    while open_nodes:
        name = open_nodes.pop()
        if name in reach.nodes or name not in nodes:
            continue
        reach.nodes.add(name)
        open_nodes.extend(_node_name(tensor) for tensor in nodes[name].input)
        called.extend(_calls(nodes[name], bodies))
    while called:
        name = called.pop()
        if name in reach.functions:
            continue
        reach.functions.add(name)
        for node in bodies[name]:
            called.extend(_calls(node, bodies))
    return reach


def _calls(node: Any, bodies: Mapping[str, Any]) -> list[str]:
    """Functions that a node calls: by an attribute or, in the old way, by its op."""
    named = [node.op]
    for attribute in node.attr.values():
        named.append(attribute.func.name)
        named.extend(function.name for function in attribute.list.func)
    return [name for name in named if name in bodies]


def _node_name(tensor: str) -> str:
    """The node of "^node", "node:1" or "node"."""
    return tensor.removeprefix("^").partition(":")[0]
