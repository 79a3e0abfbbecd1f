import keras
import numpy as np
import pytest
from keras import ops as k

from keras_attention.visualize import attention_scores

T, S, D, N, H = 3, 5, 8, 2, 4


def keras_attention_layer(name):
    return keras.layers.MultiHeadAttention(N, H, name=name)


class Block(keras.layers.Layer):
    """Does not request scores; holds its layers in a list and an attribute."""

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.several = [keras_attention_layer("same"), keras_attention_layer("same")]
        self.cross = keras_attention_layer("cross")

    def call(self, x, memory):
        for layer in self.several:
            x = x + layer(x, x)
        return self.cross(x, memory)


class Outer(keras.layers.Layer):
    """Takes the argument itself and passes it to an inner attention layer, whose scores count."""

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.inner = keras_attention_layer("inner")

    def call(self, x, return_attention_scores=False):
        return self.inner(x, x, return_attention_scores=return_attention_scores)


class Scored(keras.layers.Layer):
    def __init__(self, broken=False, **kwargs):
        super().__init__(**kwargs)
        self.broken = broken

    def call(self, x, return_attention_scores=False, cache=None):
        if self.broken:
            raise RuntimeError("broken")
        scores = k.softmax(k.matmul(x, k.transpose(x, (0, 2, 1))))
        results = [k.matmul(scores, x)]
        if return_attention_scores:
            results.append(scores)
        if cache is not None:
            results.append(cache)
        return tuple(results) if len(results) > 1 else results[0]


class Compiled(keras.Model):
    """Compiles its own attention call."""

    def __init__(self):
        super().__init__()
        self.look = keras_attention_layer("look")
        self.compiled = None

    def call(self, x):
        if keras.backend.backend() != "tensorflow":
            return self.look(x, x)
        import tensorflow as tf

        if self.compiled is None:
            self.compiled = tf.function(lambda x: self.look(x, x))
        return self.compiled(x)


@pytest.fixture
def x():
    return np.random.default_rng(1).standard_normal((2, T, D)).astype("float32")


@pytest.fixture
def memory():
    return np.random.default_rng(2).standard_normal((2, S, D)).astype("float32")


def functional():
    query, memory = keras.Input((None, D), name="query"), keras.Input((None, D), name="memory")
    y = keras_attention_layer("one")(query, memory)
    y, _ = keras_attention_layer("two")(y, memory, return_attention_scores=True)
    return keras.Model([query, memory], y)


def test_scores_of_a_functional_model_match_its_layers(x, memory):
    model = functional()
    scores = attention_scores(model, [x, memory])
    assert list(scores) == ["one", "two"]
    y, one = model.get_layer("one")(x, memory, return_attention_scores=True)
    _, two = model.get_layer("two")(y, memory, return_attention_scores=True)
    np.testing.assert_allclose(scores["one"], k.convert_to_numpy(one), atol=1e-6)
    np.testing.assert_allclose(scores["two"], k.convert_to_numpy(two), atol=1e-6)
    assert scores["two"].shape == (2, N, T, S)


def test_model_is_unchanged_afterwards(x, memory):
    model = functional()
    before = model.predict([x, memory], verbose=0)
    attributes = {layer: set(vars(layer)) for layer in model.layers}
    attention_scores(model, [x, memory])
    assert {layer: set(vars(layer)) for layer in model.layers} == attributes
    np.testing.assert_array_equal(model.predict([x, memory], verbose=0), before)


def test_a_model_can_be_saved_afterwards(x, memory, tmp_path):
    model = functional()
    attention_scores(model, [x, memory])
    model.save(tmp_path / "model.keras")
    twin = keras.models.load_model(tmp_path / "model.keras")
    inputs = [x, memory]
    np.testing.assert_allclose(*(k.convert_to_numpy(m(inputs)) for m in (twin, model)), atol=1e-6)


def test_layers_of_equal_names_get_distinct_paths(x, memory):
    block = Block(name="block")
    scores = attention_scores(block, x, memory=memory)
    assert {path: array.shape for path, array in scores.items()} == {
        "same": (2, N, T, T),
        "same_1": (2, N, T, T),
        "cross": (2, N, T, S),
    }


def test_nested_models_give_paths(x):
    inner = keras.Sequential([keras.Input((None, D)), Outer(name="first"), Outer(name="second")], name="encoder")
    outer = keras.Sequential([keras.Input((None, D)), inner, keras.layers.Dense(D), Outer(name="top")])
    assert list(attention_scores(outer, x)) == ["encoder/first/inner", "encoder/second/inner", "top/inner"]


def test_shared_layer_has_one_entry_per_call(x):
    layer = keras_attention_layer("shared")
    i = keras.Input((None, D))
    scores = attention_scores(keras.Model(i, layer(layer(i, i), i)), x)
    assert list(scores) == ["shared", "shared:1"]
    assert np.abs(scores["shared"] - scores["shared:1"]).max() > 1e-4


def test_scores_in_a_compiled_part_of_the_model(x):
    model = Compiled()
    model(x)
    assert list(attention_scores(model, x)) == ["look"]


@pytest.mark.skipif(keras.backend.backend() == "torch", reason="PyTorch has no XLA")
def test_scores_of_a_model_compiled_with_xla(x, memory):
    model = functional()
    model.compile("sgd", "mse", jit_compile=True)
    model.predict([x, memory], verbose=0)
    assert list(attention_scores(model, [x, memory])) == ["one", "two"]


def test_single_layer_with_call_arguments(x):
    layer = keras_attention_layer("alone")
    scores = attention_scores(layer, x, value=x, use_causal_mask=True)["alone"]
    assert (scores[:, :, 0, 1:] == 0).all()
    assert (scores[:, :, 2] > 0).all()


def test_other_outputs_of_a_layer_are_kept(x):
    class Decoder(keras.layers.Layer):
        def __init__(self):
            super().__init__()
            self.scored = Scored(name="scored")

        def call(self, x):
            output, cache = self.scored(x, cache=x)
            again, scores, cache = self.scored(x, cache=cache, return_attention_scores=True)
            assert tuple(scores.shape) == (2, T, T)
            return output + again + cache

    decoder = Decoder()
    expected = k.convert_to_numpy(decoder(x))
    assert list(attention_scores(decoder, x)) == ["scored", "scored:1"]
    np.testing.assert_array_equal(k.convert_to_numpy(decoder(x)), expected)


def test_model_is_restored_after_an_error(x):
    model = keras.Sequential([Scored(name="fine"), Scored(broken=True, name="broken")])
    with pytest.raises(RuntimeError, match="broken"):
        attention_scores(model, x)
    assert all("call" not in vars(layer) for layer in model.layers)


def test_model_without_attention_raises_an_error(x):
    with pytest.raises(ValueError, match="No layer whose `call` takes `return_attention_scores`.*plain"):
        attention_scores(keras.Sequential([keras.layers.Dense(2)], name="plain"), x)


def test_other_types_than_models_raise_errors(x):
    for model in (None, "model", lambda x: x, keras.layers.Dense, [keras.layers.Dense(2)]):
        with pytest.raises(ValueError, match="`model` must be a Keras model or layer. Received: model="):
            attention_scores(model, x)
