import keras
import pytest
import tensorflow as tf
from tensorflow.core.protobuf import saved_model_pb2

from keras_attention.export import require_core_ops, saved_model_ops


def save(function, path, *specs):
    module = tf.Module()
    module.function = tf.function(function, input_signature=specs)
    tf.saved_model.save(module, str(path), signatures=module.function)
    return path


def test_ops_inside_loops_and_functions_are_listed(tmp_path):
    def loop(x):
        inner = tf.function(tf.math.sin)
        return {"y": tf.while_loop(lambda x: tf.reduce_sum(x) < 9.0, lambda x: (inner(tf.exp(x)),), (x,))[0]}

    names = saved_model_ops(save(loop, tmp_path, tf.TensorSpec([None])))
    assert {"Exp", "Sin", "Placeholder"} <= set(names)
    assert names == sorted(set(names))
    assert require_core_ops(tmp_path) == names


def test_ops_of_other_libraries_raise_an_error_with_their_names(tmp_path):
    saved_model = saved_model_pb2.SavedModel()
    graph = saved_model.meta_graphs.add().graph_def
    graph.node.add(name="a", op="MatMul")
    graph.node.add(name="b", op="TFText>WhitespaceTokenizeWithOffsetsV2")
    graph.library.function.add().node_def.add(name="c", op="SentencepieceOp")
    graph.library.function[0].signature.name = "__inference_f_1"
    graph.node.add(name="d", op="__inference_f_1")  # an op with the name of the function that it calls
    (tmp_path / "saved_model.pb").write_bytes(saved_model.SerializeToString())
    with pytest.raises(ValueError, match=r"Received: SentencepieceOp, TFText>WhitespaceTokenizeWithOffsetsV2\."):
        require_core_ops(tmp_path)
    with pytest.raises(ValueError, match=r"Received: SentencepieceOp\."):
        require_core_ops(tmp_path, allowed=["TFText>WhitespaceTokenizeWithOffsetsV2"])
    assert "MatMul" in require_core_ops(tmp_path, allowed=["TFText>WhitespaceTokenizeWithOffsetsV2", "SentencepieceOp"])


def test_python_ops_raise_an_error(tmp_path):
    save(lambda x: {"y": tf.numpy_function(lambda x: x + 1, [x], tf.float32)}, tmp_path, tf.TensorSpec([None]))
    with pytest.raises(ValueError, match="PyFunc.*need the Python process"):
        require_core_ops(tmp_path)


def test_xla_bridge_ops_raise_an_error(tmp_path):
    """`slice_update` compiles to one; a model server has no kernel for it unless XLA is enabled."""
    save(lambda x: {"y": keras.ops.slice_update(x, (1,), tf.ones([2]))}, tmp_path, tf.TensorSpec([None]))
    with pytest.raises(ValueError, match="XlaDynamicUpdateSlice.*instead of `keras.ops.slice_update`"):
        require_core_ops(tmp_path)


def test_missing_saved_model_raises_an_error(tmp_path):
    with pytest.raises(FileNotFoundError):
        saved_model_ops(tmp_path)
