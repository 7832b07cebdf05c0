"""Write the graph of a small BERT-like sentence encoder without its weights, for ONNX Runtime.

``analytics_platform/insights/vectors`` binds the weights: those of multilingual-e5-small to the graph of twelve layers,
those of all-MiniLM-L6-v2 to the graph of six. A graph takes the sum of the embeddings of each token and returns the
tokens' last states:

    states (texts, length, 384), zero_points (texts x length,)  ->  last_states (texts, length, 384)

Activations are quantised to 8 bits with a scale for each token (``QuantizeLinear`` along axis 0), weights with a scale
for each output.

Usage: ``python training/vectors/graph.py multilingual_e5 OUT``, or ``english_minilm``
"""

from __future__ import annotations

import sys
from pathlib import Path

from onnx import ModelProto, NodeProto, TensorProto, helper

WIDTH, INNER, HEADS = 384, 1536, 12
LAYERS = {"multilingual_e5": ("multilingual-e5-small", 12), "english_minilm": ("all-MiniLM-L6-v2", 6)}
"""Name and number of layers of each model, by the name of its graph."""
EPSILON = 1e-12
CONTRIB = "com.microsoft"


class Graph:
    """Collects nodes and initializers."""

    def __init__(self) -> None:
        self.nodes: list[NodeProto] = []
        self.initializers: list[TensorProto] = []

    def open_weight(self, name: str, dtype: int, shape: list[int]) -> str:
        """Declare a weight whose value is bound when the graph is loaded."""
        tensor = TensorProto(name=name, data_type=dtype, dims=shape, data_location=TensorProto.EXTERNAL)
        entry = tensor.external_data.add()
        entry.key, entry.value = "location", "bound-at-load"
        self.initializers.append(tensor)
        return name

    def constant(self, name: str, dtype: int, values: list[float], shape: list[int]) -> str:
        """Add a constant."""
        self.initializers.append(helper.make_tensor(name, dtype, shape, values))
        return name

    def add(self, operator: str, inputs: list[str], outputs: list[str], domain: str = "", **attributes: object) -> str:
        """Add a node and return its first output."""
        self.nodes.append(helper.make_node(operator, inputs, outputs, name=outputs[0], domain=domain, **attributes))
        return outputs[0]

    def linear(self, states: str, name: str, rows: int, columns: int) -> str:
        """Multiply states by a matrix, in 8-bit integers; shape (tokens, rows) to (tokens, columns)."""
        weight = self.open_weight(f"{name}.w", TensorProto.INT8, [rows, columns])
        scale = self.open_weight(f"{name}.s", TensorProto.FLOAT, [columns])
        sizes = self.add("Abs", [states], [f"{name}.abs"])
        largest = self.add("ReduceMax", [sizes, "last_axis"], [f"{name}.max"], keepdims=0)
        step = self.add("Mul", [largest, "one_127th"], [f"{name}.step"])
        step = self.add("Max", [step, "tiny"], [f"{name}.positive_step"])
        codes = self.add("QuantizeLinear", [states, step, "zero_points"], [f"{name}.codes"], axis=0)
        product = self.add(
            "MatMulIntegerToFloat", [codes, weight, "one", scale, "zero_point"], [f"{name}.product"], CONTRIB
        )
        column = self.add("Reshape", [step, "as_column"], [f"{name}.column"])
        return self.add("Mul", [product, column], [f"{name}.out"])

    def normalize(self, states: str, added: str, bias: str, name: str) -> str:
        """Add a linear layer's output and bias to states, and normalise them."""
        bias = self.open_weight(bias, TensorProto.FLOAT, [WIDTH])
        weight = self.open_weight(f"{name}.w", TensorProto.FLOAT, [WIDTH])
        shift = self.open_weight(f"{name}.b", TensorProto.FLOAT, [WIDTH])
        inputs = [states, added, weight, shift, bias]
        return self.add("SkipLayerNormalization", inputs, [f"{name}.out"], CONTRIB, epsilon=EPSILON)

    def layer(self, number: int, states: str, shape: str) -> str:
        """Add a transformer layer; shape (tokens, 384) to (tokens, 384)."""
        name = f"l{number}"
        joint = self.linear(states, f"{name}.qkv", WIDTH, 3 * WIDTH)
        joint = self.add("Reshape", [joint, shape], [f"{name}.joint"])
        parts = [f"{name}.query", f"{name}.key", f"{name}.value"]
        self.add("Split", [joint, "thirds"], parts, axis=-1)
        bias = self.open_weight(f"{name}.qkv.b", TensorProto.FLOAT, [3 * WIDTH])
        context = self.add("MultiHeadAttention", [*parts, bias], [f"{name}.context"], CONTRIB, num_heads=HEADS)
        context = self.add("Reshape", [context, "as_tokens"], [f"{name}.tokens"])
        attended = self.linear(context, f"{name}.ao", WIDTH, WIDTH)
        states = self.normalize(states, attended, f"{name}.ao.b", f"{name}.aln")
        inner = self.linear(states, f"{name}.fi", WIDTH, INNER)
        bias = self.open_weight(f"{name}.fi.b", TensorProto.FLOAT, [INNER])
        inner = self.add("BiasGelu", [inner, bias], [f"{name}.gelu"], CONTRIB)
        outer = self.linear(inner, f"{name}.fo", INNER, WIDTH)
        return self.normalize(states, outer, f"{name}.fo.b", f"{name}.oln")


def build(name: str) -> ModelProto:
    """Return the graph of a name in ``LAYERS``."""
    model, layers = LAYERS[name]
    graph = Graph()
    graph.constant("last_axis", TensorProto.INT64, [1], [1])
    graph.constant("as_tokens", TensorProto.INT64, [-1, WIDTH], [2])
    graph.constant("as_column", TensorProto.INT64, [-1, 1], [2])
    graph.constant("rest", TensorProto.INT64, [-1], [1])
    graph.constant("thirds", TensorProto.INT64, [WIDTH] * 3, [3])
    graph.constant("one", TensorProto.FLOAT, [1.0], [])
    graph.constant("one_127th", TensorProto.FLOAT, [1 / 127], [])
    graph.constant("tiny", TensorProto.FLOAT, [1e-12], [])
    graph.constant("zero_point", TensorProto.UINT8, [128], [])
    weight = graph.open_weight("emb.ln.w", TensorProto.FLOAT, [WIDTH])
    shift = graph.open_weight("emb.ln.b", TensorProto.FLOAT, [WIDTH])
    states = graph.add("LayerNormalization", ["states", weight, shift], ["embedded"], axis=-1, epsilon=EPSILON)
    size = graph.add("Shape", [states], ["size"], start=0, end=2)
    shape = graph.add("Concat", [size, "rest"], ["shape"], axis=0)
    states = graph.add("Reshape", [states, "as_tokens"], ["tokens"])
    for number in range(layers):
        states = graph.layer(number, states, shape)
    graph.add("Reshape", [states, shape], ["last_states"])
    inputs = [
        helper.make_tensor_value_info("states", TensorProto.FLOAT, ["texts", "length", WIDTH]),
        helper.make_tensor_value_info("zero_points", TensorProto.UINT8, ["tokens_of_all"]),
    ]
    outputs = [helper.make_tensor_value_info("last_states", TensorProto.FLOAT, ["texts", "length", WIDTH])]
    body = helper.make_graph(graph.nodes, model, inputs, outputs, graph.initializers)
    opsets = [helper.make_opsetid("", 18), helper.make_opsetid(CONTRIB, 1)]
    return helper.make_model(body, opset_imports=opsets, ir_version=9, producer_name="analytics_platform")


if __name__ == "__main__":
    Path(sys.argv[2]).write_bytes(build(sys.argv[1]).SerializeToString(deterministic=True))
