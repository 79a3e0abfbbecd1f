import keras
import numpy as np
import pytest

from keras_attention import training


def batches():
    rng = np.random.default_rng(0)
    for _ in range(3):
        targets = rng.integers(1, 4, (6, 3)).astype("int32")
        targets[0, 1:], targets[1] = 0, 0
        yield targets, rng.normal(size=(6, 3, 4)).astype("float32")


def expected(padding_id):
    """Loops over tokens and over sequences of all batches."""
    tokens, sequences = [], []
    for targets, logits in batches():
        for row, outputs in zip(targets, logits):
            correct = [t == x.argmax() for t, x in zip(row, outputs) if t != padding_id]
            tokens += correct
            sequences += [all(correct)] if correct else []
    return np.mean(tokens), np.mean(sequences)


@pytest.mark.parametrize("padding_id", [0, 2, None])
def test_is_the_mean_over_all_batches_without_padding(padding_id):
    token, sequence = training.TokenAccuracy(padding_id), training.SequenceAccuracy(padding_id)
    for targets, logits in batches():
        token.update_state(targets, logits)
        sequence.update_state(targets, logits)
    found = float(token.result()), float(sequence.result())
    np.testing.assert_allclose(found, expected(padding_id), rtol=1e-6)
    assert found[1] > 0
    token.reset_state()
    assert float(token.result()) == 0


@pytest.mark.parametrize("cls", [training.TokenAccuracy, training.SequenceAccuracy])
def test_config_round_trip(cls):
    metric = cls(padding_id=3, name="correct")
    twin = keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(metric))
    assert twin.get_config() == metric.get_config()
    assert (twin.padding_id, twin.name) == (3, "correct")
