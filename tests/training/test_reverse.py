"""End to end: a small Transformer is trained to reverse sequences and generalizes to new ones."""

import keras
import numpy as np
import pytest

from keras_attention import decoding, models, training

V, N, START, END = 20, 10, 1, 2


def examples(count, seed):
    source = np.random.default_rng(seed).integers(3, V, (count, N)).astype("int32")
    target = source[:, ::-1]
    shifted = np.concatenate([np.full((count, 1), START, "int32"), target[:, :-1]], axis=1)
    return {"source": source, "target": shifted}, target


@pytest.mark.slow
@pytest.mark.skipif(keras.backend.backend() == "torch", reason="minutes on a CPU without a compiler")
def test_a_small_transformer_learns_to_reverse():
    model = models.transformer(
        vocabulary_size=V, num_layers=2, model_dim=64, num_heads=4, intermediate_dim=128, dropout=0.0
    )
    schedule = training.TransformerSchedule(64, warmup_steps=200, factor=0.5)
    model.compile(
        keras.optimizers.Adam(schedule, beta_1=0.9, beta_2=0.98, epsilon=1e-9),
        training.LabelSmoothedCrossEntropy(0.1),
        jit_compile=keras.backend.backend() == "jax",
    )
    model.fit(*examples(12_000, seed=0), batch_size=128, epochs=14, verbose=0)
    inputs, target = examples(200, seed=1)
    metric = training.SequenceAccuracy()
    metric.update_state(target, model.predict(inputs, verbose=0))
    assert float(metric.result()) > 0.99
    start = np.full(200, START, "int32")
    written = decoding.greedy(model.step, model.start(inputs["source"], N), start, N, END)
    assert (keras.ops.convert_to_numpy(written) == target).all(axis=1).mean() > 0.99
