"""What Keras offers for any model works for every network: copies, weights files, summaries, plots."""

import copy
import inspect
import pickle

import keras
import numpy as np
import pytest

from tests.backend import BACKEND
from tests.layers.helpers import numpy
from tests.models.factories import INPUTS, NETWORKS, make, of_class
from tests.variants import variants

each_network = pytest.mark.parametrize("name", NETWORKS)
# Of pictures, of tokens and of both kinds of inputs by name; copies of the others repeat these and take longer.
COPIED = ("Transformer", "GPT", "RecurrentAttention", "VisionTransformer", "AttentionResNet", "PatchDiscriminator")
each_copied = pytest.mark.parametrize("name", variants(NETWORKS.keys(), *COPIED))


def assert_equal(name, model):
    """Asserts that a model computes what the cached one of this name does."""
    for found, expected in zip(*(keras.tree.flatten(m(INPUTS[name])) for m in (model, of_class(name))), strict=True):
        np.testing.assert_allclose(numpy(found), numpy(expected), atol=1e-6)


@each_copied
def test_deepcopy_and_pickle(name):
    model = of_class(name)
    for twin in (copy.deepcopy(model), pickle.loads(pickle.dumps(model))):
        assert type(twin) is type(model)
        assert not {id(w) for w in twin.weights} & {id(w) for w in model.weights}
        assert_equal(name, twin)


@each_copied
def test_clone_model_keeps_the_function_and_from_config_the_class_too(name):
    """Keras clones the layers of a functional model, not the class that put them together."""
    model = of_class(name)
    for clone, kind in (
        (keras.models.clone_model(model), keras.models.Model),
        (type(model).from_config(model.get_config()), type(model)),
    ):
        assert isinstance(clone, kind)
        clone.set_weights(model.get_weights())
        assert_equal(name, clone)


@each_copied
def test_weights_files(name, tmp_path):
    model = of_class(name)
    files = {"one.weights.h5": {}}
    if "max_shard_size" in inspect.signature(model.save_weights).parameters:
        files["some.weights.json"] = {"max_shard_size": 0.9 * 4 * model.count_params() / 2**30}  # GB
    for file, options in files.items():
        model.save_weights(tmp_path / file, **options)
        twin = NETWORKS[name]()
        twin.load_weights(tmp_path / file)
        assert_equal(name, twin)
    assert len(files) == 1 or len(list(tmp_path.glob("some_*.weights.h5"))) > 1


@each_network
def test_summary_count_params_and_get_layer(name):
    model, lines = of_class(name), []
    model.summary(
        line_length=150, expand_nested=True, show_trainable=True, print_fn=lambda line, **_: lines.append(line)
    )
    text = "\n".join(lines)
    assert f"{model.count_params():,}" in text
    assert model.count_params() == sum(numpy(w).size for w in model.weights)
    for layer in model.layers:
        assert model.get_layer(layer.name) is layer


def test_model_to_dot():
    pytest.importorskip("pydot")
    for name in NETWORKS:
        dot = keras.utils.model_to_dot(of_class(name), show_shapes=True, show_layer_names=True, expand_nested=True)
        labels = " ".join(node.get_label() for node in dot.get_nodes() if node.get_label())
        assert all(layer.name in labels for layer in of_class(name).layers)


@pytest.mark.skipif(BACKEND != "tensorflow", reason="SavedModels with unknown sizes need the TensorFlow backend")
@pytest.mark.filterwarnings("ignore:.*does not have a `quantize` method")
@pytest.mark.filterwarnings("ignore:.*is spectrally normalized")
@pytest.mark.parametrize("quantized", [False, pytest.param(True, marks=pytest.mark.slow)])
@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=[pytest.mark.slow] * (name != "AttentionResNet")) for name in NETWORKS]
)
def test_saved_models_take_any_batch(name, quantized, tmp_path):
    """Of TensorFlow and of Keras, each written as it is documented there."""
    import tensorflow as tf

    model = make(name)
    if quantized:
        model.quantize("int8")
    inputs = keras.tree.map_structure(lambda x: tf.constant(np.concatenate([x, x[::-1], x])), INPUTS[name])
    inputs = keras.tree.map_structure(lambda x, spec: tf.cast(x, spec.dtype), inputs, model.input)
    expected = keras.tree.flatten(model(inputs))
    tf.saved_model.save(model, tmp_path / "tensorflow")
    model.export(tmp_path / "keras", verbose=False)
    of_tensorflow, of_keras = (tf.saved_model.load(tmp_path / writer) for writer in ("tensorflow", "keras"))
    # The signature of TensorFlow takes the inputs in the order of Keras, as `inputs`, `inputs_1` and so on.
    names = [f"inputs_{i}" if i else "inputs" for i in range(len(model.inputs))]
    named = of_tensorflow.signatures["serving_default"](**dict(zip(names, keras.tree.flatten(inputs), strict=True)))
    for found in (named.values(), keras.tree.flatten(of_keras.serve(inputs))):
        for x, y in zip(sorted(found, key=order), sorted(expected, key=order), strict=True):
            np.testing.assert_allclose(x, y, atol=1e-5)


def order(x):
    """A key by which outputs without comparable names are sorted."""
    return tuple(x.shape), float(np.sum(x))
