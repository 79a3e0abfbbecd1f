"""GatedRecurrentCell against a loop from the paper and against Keras's GRU, whose update gate is inverted."""

import keras
import numpy as np
import pytest

from keras_attention.layers import GatedRecurrentCell
from tests.layers.helpers import noisy, numpy, random
from tests.reference import recurrent as reference

BIASES = (True, False, "candidate")


def weights_of(cell):
    """Weights as arguments of tests/reference/recurrent.py."""
    U = cell.units
    kernel, gates, candidate, bias = (
        numpy(w).astype("float64") for w in (cell.kernel, cell.gates_kernel, cell.candidate_kernel, _bias(cell))
    )
    named = {"Wz": kernel[:, :U], "Wr": kernel[:, U : 2 * U], "W": kernel[:, 2 * U :]}
    named |= {"Uz": gates[:, :U], "Ur": gates[:, U:], "U": candidate}
    return {**named, "bz": bias[:U], "br": bias[U : 2 * U], "b": bias[2 * U :]}


def _bias(cell):
    if not cell.use_bias:
        return np.zeros(3 * cell.units)
    return np.concatenate([np.zeros(3 * cell.units - cell.bias.shape[0]), numpy(cell.bias)])


def make(use_bias=True, **kwargs):
    cell = GatedRecurrentCell(4, use_bias=use_bias, **kwargs)
    return noisy(cell, random(2, 3))


@pytest.mark.parametrize("use_bias", BIASES)
def test_is_the_gated_unit_of_the_paper(use_bias):
    cell, x, h = make(use_bias), random(2, 3, seed=1), random(2, 4, seed=2)
    expected = [reference.gated_unit(*row, weights_of(cell)) for row in zip(x, h)]
    output, states = cell(x, [h])
    np.testing.assert_allclose(numpy(output), expected, atol=1e-5)
    np.testing.assert_allclose(numpy(states[0]), expected, atol=1e-5)
    np.testing.assert_allclose(numpy(cell(x, h)[1]), expected, atol=1e-5)


def test_inputs_may_be_projected_in_parts():
    cell, x, h = make(), random(2, 3, seed=1), random(2, 4, seed=2)
    parts = cell.projection(0, 2)(x[:, :2]) + cell.projection(2)(x[:, 2:])
    np.testing.assert_allclose(numpy(cell.advance(parts, h)), numpy(cell(x, h)[0]), atol=1e-5)


@pytest.mark.parametrize("use_bias", BIASES)
def test_conversion_to_and_from_keras_inverts_the_update_gate(use_bias):
    cell, x = make(use_bias), random(2, 5, 3)
    converted = cell.to_keras()
    expected = numpy(keras.layers.RNN(cell, return_sequences=True)(x))
    np.testing.assert_allclose(numpy(keras.layers.RNN(converted, return_sequences=True)(x)), expected, atol=1e-5)
    layer = keras.layers.GRU(4, use_bias=bool(use_bias), reset_after=False, return_sequences=True)
    layer.build(x.shape)
    layer.set_weights(converted.get_weights())
    np.testing.assert_allclose(numpy(layer(x)), expected, atol=1e-5)
    back = GatedRecurrentCell.from_keras(converted)
    np.testing.assert_allclose(numpy(keras.layers.RNN(back, return_sequences=True)(x)), expected, atol=1e-5)
    unturned = keras.layers.GRUCell(4, use_bias=bool(use_bias), reset_after=False)
    unturned.build((None, 3))
    unturned.set_weights([np.concatenate([-w[..., :4], w[..., 4:]], -1) for w in converted.get_weights()])
    assert np.abs(numpy(keras.layers.RNN(unturned, return_sequences=True)(x)) - expected).max() > 0.05


def test_each_recurrent_matrix_is_initialized_orthogonal():
    for initializer in ("orthogonal", keras.initializers.Orthogonal(seed=3)):
        cell = GatedRecurrentCell(5, recurrent_initializer=initializer)
        cell.build((None, 3))
        gates = numpy(cell.gates_kernel)
        matrices = [gates[:, :5], gates[:, 5:], numpy(cell.candidate_kernel)]
        for matrix in matrices:
            np.testing.assert_allclose(matrix @ matrix.T, np.eye(5), atol=1e-5)
        assert min(np.abs(a - b).max() for a, b in zip(matrices, matrices[1:] + matrices[:1])) > 0.1


def test_file_round_trip_inside_keras_rnn(tmp_path):
    inputs = keras.Input((None, 3))
    cell = make("candidate")
    model = keras.Model(inputs, keras.layers.RNN(cell)(inputs))
    model.save(tmp_path / "model.keras")
    twin, x = keras.models.load_model(tmp_path / "model.keras"), random(2, 5, 3)
    np.testing.assert_allclose(numpy(twin(x)), numpy(model(x)), atol=1e-6)
    assert twin.layers[-1].cell.get_config() == cell.get_config()


def test_bad_arguments():
    with pytest.raises(ValueError, match="`units`"):
        GatedRecurrentCell(0)
    with pytest.raises(ValueError, match="`use_bias`.*'gates'"):
        GatedRecurrentCell(4, use_bias="gates")
    with pytest.raises(ValueError, match="before it is converted"):
        GatedRecurrentCell(4).to_keras()
    with pytest.raises(ValueError, match="last axis of `inputs`"):
        GatedRecurrentCell(4).build((None, None))
    other = keras.layers.GRUCell(4, reset_after=True)
    other.build((None, 3))
    with pytest.raises(ValueError, match="reset_after=True"):
        GatedRecurrentCell.from_keras(other)
