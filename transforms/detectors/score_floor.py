"""Sparing a frozen graph the work on detections that nobody keeps.

Non-maximum suppression costs some models more than their network, since exporters let it go through all anchors down
to a score of next to nothing. A box only ever suppresses boxes of lower scores, so with a higher threshold exactly the
same boxes of that score or more come out.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np

# Which input is the score threshold; ops without one (NonMaxSuppression, V2) are left alone.
_THRESHOLD_INPUT = {
    "NonMaxSuppressionV3": 4,
    "NonMaxSuppressionV4": 4,
    "NonMaxSuppressionV5": 4,
    "CombinedNonMaxSuppression": 5,
}
# A layer behind the suppression (the second stage of Faster R-CNN, masks) sees the boxes that it lets through, so that
# their number matters. So may one inside a function.
_LAYERS = frozenset({"BatchMatMul", "BatchMatMulV2", "Conv2D", "CropAndResize", "DepthwiseConv2dNative", "MatMul"})
_CALLS = frozenset({"If", "PartitionedCall", "StatefulPartitionedCall", "StatelessIf", "StatelessWhile", "While"})


def raise_score_thresholds(graph_def: Any, floor: float) -> int:
    """Raises the thresholds of the last suppressions of a GraphDef to ``floor``, in place; returns how many.

    Untouched are thresholds that are no constants from 0 to ``floor``: below 0 scores are no probabilities.
    """
    nodes = {node.name: node for node in graph_def.node}
    seen_by_layers = _ancestors(nodes, [node for node in graph_def.node if node.op in _LAYERS | _CALLS])
    raised = set()
    for node in graph_def.node:
        if node.op not in _THRESHOLD_INPUT or node.name in seen_by_layers:
            continue
        constant = nodes[_node_name(node.input[_THRESHOLD_INPUT[node.op]])]
        if constant.op == "Const" and constant.name not in seen_by_layers and _raise(constant, floor):
            raised.add(constant.name)
    return len(raised)


def _raise(constant: Any, floor: float) -> bool:
    import tensorflow as tf

    value = tf.make_ndarray(constant.attr["value"].tensor)
    if value.shape != () or value.dtype != np.float32 or not 0 <= value < floor:
        return False
    constant.attr["value"].tensor.CopyFrom(tf.make_tensor_proto(np.float32(floor)))
    return True


def _ancestors(nodes: dict[str, Any], of: Iterable[Any]) -> set[str]:
    """Names of all nodes that the given ones depend on."""
    found: set[str] = set()
    waiting = list(of)
    while waiting:
        for name in map(_node_name, waiting.pop().input):
            if name not in found:
                found.add(name)
                waiting.append(nodes[name])
    return found


def _node_name(tensor: str) -> str:
    return tensor.removeprefix("^").partition(":")[0]
