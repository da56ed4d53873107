"""SavedModels whose files were changed, or written by hand, after they were saved.

Runs in the workspace image. Each gets the directory of a harmless SavedModel of section 1.
"""

from __future__ import annotations

import shutil

import tensorflow as tf
from tensorflow.core.protobuf import saved_model_pb2

from tests.attacks import graphs

BENT = {}


def bent(change):
    """Note a change."""
    BENT[change.__name__] = change
    return change


def make(name, directory):
    """Write the model of a name. Raises KeyError."""
    change = BENT[name]
    graphs.make("answer_one_number", directory)
    change(directory)


def changed(directory, change):
    """Change the model's protocol buffer."""
    path = directory / "saved_model.pb"
    model = saved_model_pb2.SavedModel.FromString(path.read_bytes())
    change(model.meta_graphs[0])
    path.write_bytes(model.SerializeToString())


@bent
def noise(directory):
    """Noise instead of a protocol buffer."""
    (directory / "saved_model.pb").write_bytes(bytes(range(256)) * 64)


@bent
def cut_off(directory):
    """Half a protocol buffer."""
    path = directory / "saved_model.pb"
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


@bent
def nested_messages(directory):
    """A protocol buffer that is nested deeper than parsers go."""
    content = b""
    for _ in range(100_000):
        content = (
            b"\x12" + bytes(length(len(content))) + content if len(content) < 1 << 16 else content
        )
    (directory / "saved_model.pb").write_bytes(content)


def length(number):
    """Yield the bytes of a protocol buffer's number."""
    while number > 127:
        yield number & 127 | 128
        number >>= 7
    yield number


@bent
def million_nodes(directory):
    """A graph of a million nodes."""

    def add(graph):
        for number in range(1_000_000):
            graph.graph_def.node.add(name=str(number), op="NoOp")

    changed(directory, add)


@bent
def million_nodes_in_a_function(directory):
    """A function of 600,000 nodes, one after another."""

    def add(graph):
        nodes = graph.graph_def.library.function[0].node_def
        for number in range(600_000):
            before = [f"^x{number - 1}"] if number else []
            nodes.add(name=f"x{number}", op="NoOp", input=before)

    changed(directory, add)


@bent
def constant_of_2_60(directory):
    """A constant that says it is of 2**60 numbers, in a few bytes."""

    def swell(graph):
        for function in graph.graph_def.library.function:
            for node in function.node_def:
                if node.op == "Const":
                    value = node.attr["value"].tensor
                    for dim in value.tensor_shape.dim[:]:
                        value.tensor_shape.dim.remove(dim)
                    for size in (1 << 30, 1 << 30):
                        value.tensor_shape.dim.add(size=size)

    changed(directory, swell)


@bent
def constant_of_2_36(directory):
    """A constant of 256 GB that is four bytes long."""
    shutil.rmtree(directory)
    graphs.make("answer_one_more", directory)

    def swell(graph):
        for function in graph.graph_def.library.function:
            for node in function.node_def:
                node.attr.pop("_output_shapes", None)
                if node.op != "Const":
                    continue
                value = node.attr["value"].tensor
                if [dim.size for dim in value.tensor_shape.dim] == [1, 2]:
                    value.tensor_content = b""
                    value.float_val.append(1.0)
                    for dim in value.tensor_shape.dim:
                        dim.size = 1 << 18

    changed(directory, swell)


@bent
def function_that_calls_itself(directory):
    """A function whose body is itself."""

    def circle(graph):
        functions = {one.signature.name: one for one in graph.graph_def.library.function}
        for function in functions.values():
            for node in function.node_def:
                if "PartitionedCall" in node.op:
                    node.attr["f"].func.name = function.signature.name

    changed(directory, circle)


@bent
def operation_of_nobody(directory):
    """An operation that TensorFlow does not have."""

    def rename(graph):
        for function in graph.graph_def.library.function:
            for node in function.node_def:
                if node.op == "Fill":
                    node.op = "FillOfTomorrow"

    changed(directory, rename)


@bent
def signature_of_nothing(directory):
    """A signature whose function is not there."""

    def forget(graph):
        del graph.graph_def.library.function[:]

    changed(directory, forget)


@bent
def version_too_long(directory):
    """Say that one was saved by what is six times as long once it is quoted, and do not load."""

    def change(graph):
        graph.meta_info_def.tensorflow_version = "\x01" * 30_000
        del graph.graph_def.library.function[:]

    changed(directory, change)


@bent
def objects_in_a_circle(directory):
    """Objects that are each other's children, and ids that are nobody's."""

    def turn(graph):
        nodes = graph.object_graph_def.nodes
        for number, node in enumerate(nodes):
            node.children.add(node_id=(number + 1) % len(nodes), local_name="next")
            node.children.add(node_id=1 << 30, local_name="far")

    changed(directory, turn)


@bent
def asset_outside(directory):
    """An asset that lies outside the model."""

    def reach(graph):
        for number, name in enumerate(("../../../proc/self/environ", "/etc/passwd")):
            asset = graph.asset_file_def.add(filename=name)
            asset.tensor_info.name = "x:0"
            graph.object_graph_def.nodes.add().asset.asset_file_def_index = number

    changed(directory, reach)


@bent
def variables_outside(directory):
    """Variables that are said to be where they are not."""
    shutil.rmtree(directory / "variables")
    (directory / "variables").mkdir()
    (directory / "variables" / "variables.index").write_bytes(b"stolen" * 99)


@bent
def main_operation(directory):
    """A model as TensorFlow 1 wrote it, whose main operation ends the process."""
    shutil.rmtree(directory)
    with tf.Graph().as_default(), tf.compat.v1.Session() as session:
        rows = tf.compat.v1.placeholder(tf.float32, (None, 9), name="rows")
        signature = tf.compat.v1.saved_model.predict_signature_def(
            {"rows": rows}, {"answer": rows[:, :1]}
        )
        builder = tf.compat.v1.saved_model.Builder(str(directory))
        builder.add_meta_graph_and_variables(
            session,
            ["serve"],
            signature_def_map={"serving_default": signature},
            main_op=tf.group(tf.raw_ops.Abort(error_msg="", exit_without_error=True)),
        )
        builder.save()
