"""GatedRecurrentUnit: both directions, padding, initial states."""

import keras
import numpy as np
import pytest

from keras_attention.layers import GatedRecurrentUnit
from tests.layers.helpers import noisy, numpy, random
from tests.layers.test_gated_recurrent_cell import weights_of
from tests.reference import recurrent as reference

MASK = np.array([[True, True, False, True, False], [False, True, True, True, True]])


@pytest.mark.parametrize("reverse", [False, True])
def test_is_the_loop_over_unpadded_positions(reverse):
    layer = GatedRecurrentUnit(4, return_sequences=True, return_state=True, reverse=reverse)
    x, start = random(2, 5, 3), random(2, 4, seed=5)
    noisy(layer, x)
    output, state = (numpy(y) for y in layer(np.where(MASK[..., None], x, np.nan), initial_state=start, mask=MASK))
    for b in range(2):
        h, expected = start[b].astype("float64"), np.zeros((5, 4))
        for t in np.flatnonzero(MASK[b])[:: -1 if reverse else 1]:
            h = expected[t] = reference.gated_unit(x[b, t], h, weights_of(layer.cell))
        np.testing.assert_allclose(output[b], expected, atol=1e-5)
        np.testing.assert_allclose(state[b], h, atol=1e-5)


def both_directions(layer, x, start):
    """The loops of Keras's `Bidirectional` around the unit: h of every step, zero at padding, and the last states."""
    states, outputs = [], np.zeros((2, 5, 8))
    for unit, columns, step in ((layer.forward_layer, slice(0, 4), 1), (layer.backward_layer, slice(4, 8), -1)):
        states.append(np.zeros((2, 4)))
        for b in range(2):
            h = start[len(states) - 1][b].astype("float64")
            for t in np.flatnonzero(MASK[b])[::step]:
                h = outputs[b, t, columns] = reference.gated_unit(x[b, t], h, weights_of(unit.cell))
            states[-1][b] = h
    return outputs, states


def test_bidirectional(tmp_path):
    x, start = random(2, 5, 3), [random(2, 4, seed=5), random(2, 4, seed=6)]
    every = noisy(keras.layers.Bidirectional(GatedRecurrentUnit(4, return_sequences=True, return_state=True)), x)
    expected, states = both_directions(every, x, start)
    assert every.compute_output_shape((None, 5, 3)) == ((None, 5, 8), (None, 4), (None, 4))
    for got, right in zip(every(x, mask=MASK, initial_state=start), (expected, *states), strict=True):
        np.testing.assert_allclose(numpy(got), right, atol=1e-5)
    last = keras.layers.Bidirectional(GatedRecurrentUnit(4))
    last(x)
    last.set_weights(every.get_weights())
    np.testing.assert_allclose(numpy(last(x, mask=MASK, initial_state=start)), np.concatenate(states, 1), atol=1e-5)
    inputs, mask = keras.Input((None, 3)), keras.Input((None,), dtype="bool")
    model = keras.Model([inputs, mask], last(inputs, mask=mask))
    model.save(tmp_path / "model.keras")
    twin = keras.models.load_model(tmp_path / "model.keras")
    np.testing.assert_allclose(numpy(twin([x, MASK])), numpy(model([x, MASK])), atol=1e-6)


def test_go_backwards_returns_reversed_outputs_and_mask():
    backwards = GatedRecurrentUnit(4, return_sequences=True, go_backwards=True)
    reverse = GatedRecurrentUnit(4, return_sequences=True, reverse=True)
    x = random(2, 5, 3)
    noisy(backwards, x)
    noisy(reverse, x)
    reverse.set_weights(backwards.get_weights())
    np.testing.assert_allclose(numpy(backwards(x, mask=MASK)), numpy(reverse(x, mask=MASK))[:, ::-1], atol=1e-6)
    assert numpy(backwards.compute_mask(x, MASK)).tolist() == MASK[:, ::-1].tolist()
    assert reverse.compute_mask(x, MASK) is MASK
    with pytest.raises(ValueError, match="`reverse`.*`go_backwards`.*Received: reverse=True, go_backwards=True"):
        GatedRecurrentUnit(4, reverse=True, go_backwards=True)


def test_return_sequences():
    x = random(2, 5, 3)
    last = noisy(GatedRecurrentUnit(4), x)
    every = noisy(GatedRecurrentUnit(4, return_sequences=True), x)
    assert tuple(last(x).shape) == (2, 4)
    np.testing.assert_allclose(numpy(last(x)), numpy(every(x))[:, -1], atol=1e-6)


def test_keras_masks_are_used_with_and_without_an_initial_state():
    tokens, start = np.array([[3, 4, 0, 0, 0], [5, 6, 7, 8, 0]]), random(2, 4)
    x = keras.layers.Embedding(9, 3, mask_zero=True)(tokens)
    layer = noisy(GatedRecurrentUnit(4), x)
    for given in ({}, {"initial_state": start}):
        expected = numpy(layer(numpy(x), mask=tokens != 0, **given))
        np.testing.assert_allclose(numpy(layer(x, **given)), expected, atol=1e-6)
        assert np.abs(numpy(layer(numpy(x), **given)) - expected).max() > 1e-3


def test_bad_input():
    layer = GatedRecurrentUnit(4)
    with pytest.raises(ValueError, match=r"`inputs` must be \[B, T, D\]"):
        layer(random(2, 3))
    for state in (random(2, 3), random(3, 4), random(2, 1, 4)):
        with pytest.raises(ValueError, match=r"`initial_state` must be \[B, 4\]"):
            layer(random(2, 5, 3), initial_state=state)
    with pytest.raises(ValueError, match="`mask` must have the shape of the inputs"):
        layer(random(2, 5, 3), mask=np.ones((2, 4), bool))
