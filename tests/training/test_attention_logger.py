"""What the callback writes, read again: entropies of loops, and a picture."""

import sys

import keras
import numpy as np
import pytest

from keras_attention import layers, visualize
from keras_attention.training import AttentionLogger

tf = pytest.importorskip("tensorflow")
pytest.importorskip("matplotlib")
pytest.importorskip("tensorboard")
X = np.random.default_rng(0).standard_normal((6, 5, 8)).astype("float32")


def network():
    x = keras.Input((5, 8))
    y = layers.MultiHeadAttention(3, 4, name="look")(x)
    y = keras.layers.MultiHeadAttention(2, 4, name="again")(y, y)
    model = keras.Model(x, keras.layers.Dense(1)(y))
    model.compile(keras.optimizers.SGD(0.01), "mse")
    return model


def events(folder):
    """{(tag, step): value}, from all event files."""
    found = {}
    for path in sorted(folder.iterdir()):
        for record in tf.data.TFRecordDataset(str(path)):
            event = tf.compat.v1.Event.FromString(record.numpy())
            for value in event.summary.value:
                found[value.tag, event.step] = tf.make_ndarray(value.tensor)
    return found


def entropy(scores):
    """Of the heads [B, N, T, S], by loops."""
    B, N, T, _ = scores.shape
    return [
        np.mean([-sum(p * np.log(p) for p in scores[b, n, t]) for b in range(B) for t in range(T)]) for n in range(N)
    ]


def test_entropies_and_pictures_of_every_epoch(tmp_path):
    model, logger = network(), AttentionLogger(tmp_path / "logs", X[:2], every=2)
    before = visualize.attention_scores(model, X[:2])
    model.fit(X, np.ones((6, 5, 1)), epochs=3, verbose=0, callbacks=[logger])
    found = events(tmp_path / "logs")
    assert {step for _, step in found} == {0, 2}
    for path, scores in before.items():
        values = [found[f"attention_entropy/{path}/head_{n}", 0] for n in range(scores.shape[1])]
        np.testing.assert_allclose(values, entropy(scores), rtol=1e-4)
    width, height, picture = found["attention", 2]
    assert tf.image.decode_png(picture).shape == (int(height), int(width), 3) and int(width) > 100
    assert found["attention", 0][2] != picture
    assert len(found) == 2 * (3 + 2 + 1)


def test_a_run_that_goes_on_writes_on(tmp_path):
    model, logger = network(), AttentionLogger(tmp_path, X[:1])
    for first in (0, 2):
        model.fit(X, np.ones((6, 5, 1)), initial_epoch=first, epochs=first + 1, verbose=0, callbacks=[logger])
    assert {step for _, step in events(tmp_path)} == {0, 1, 2, 3}
    model.fit(X, np.ones((6, 5, 1)), initial_epoch=3, epochs=4, verbose=0, callbacks=[logger])
    assert np.isfinite(events(tmp_path)["attention_entropy/look/head_0", 4])


def test_a_model_that_has_diverged_is_logged(tmp_path):
    model = network()
    model.set_weights([np.full(w.shape, np.nan) for w in model.get_weights()])
    model.fit(X, np.ones((6, 5, 1)), verbose=0, callbacks=[AttentionLogger(tmp_path, X)])
    found = events(tmp_path)
    assert np.isnan(found["attention_entropy/look/head_2", 1]) and ("attention", 1) in found


def test_a_missing_package_is_named(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "tensorboard", None)
    with pytest.raises(ImportError, match=r"-m pip .*install 'keras-attention-layers\[tensorboard\]'"):
        AttentionLogger(tmp_path, X)


def test_wrong_arguments(tmp_path):
    with pytest.raises(ValueError, match="`every`.*every=0"):
        AttentionLogger(tmp_path, X, every=0)
    model = keras.Sequential([keras.Input((5, 8)), keras.layers.Dense(1)])
    model.compile("sgd", "mse")
    with pytest.raises(ValueError, match="No layer whose `call` takes `return_attention_scores`"):
        model.fit(X, np.ones((6, 5, 1)), verbose=0, callbacks=[AttentionLogger(tmp_path / "none", X)])
    image = keras.Input((3, 5, 8))
    model = keras.Model(image, layers.MultiHeadAttention(2, 4, attention_axes=2)(image))
    model.compile("sgd", "mse")
    x = np.ones((2, 3, 5, 8), "float32")
    with pytest.raises(ValueError, match=r"must be \[B, N, T, S\] or \[B, T, S\]. Received: shape \(2, 3, 2, 5, 5\)"):
        model.fit(x, x, verbose=0, callbacks=[AttentionLogger(tmp_path / "none", x)])
    assert not (tmp_path / "none").exists()
