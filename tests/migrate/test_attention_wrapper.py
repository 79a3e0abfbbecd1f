"""`AttentionRNN` and decoders with converted weights match the stored outputs of tensorflow-addons."""

import keras
import numpy as np
import pytest

from keras_attention import decoding, migrate
from tests import goldens
from tests.layers.helpers import numpy
from tests.migrate.models import END, LONGEST, cell, decoder, starts, states, to_logits, wrapper

CASES = goldens.cases("attention_wrapper")
DECODERS = goldens.cases("basic_decoder")
ATOL = 1e-5


def arguments(name):
    """The arguments that cannot be inferred from the weights."""
    mode = "recursive" if "bahdanau_monotonic" in name else "parallel"
    return {"mode": mode, "output_attention": not ("cell_output" in name or name == "luong_monotonic_gru")}


def assert_states(state, case, name):
    for found, expected in zip(keras.tree.flatten(state), keras.tree.flatten(states(case, name, "final")), strict=True):
        np.testing.assert_allclose(numpy(found), expected, atol=ATOL)


@pytest.mark.parametrize("name", CASES)
def test_call_matches_tensorflow_addons(name):
    case = CASES[name]
    rnn = wrapper(case, name, return_state=True, **arguments(name))
    output, scores, state = rnn(
        case["inputs"],
        case["memory"],
        memory_lengths=case["lengths"],
        initial_state=states(case, name),
        return_attention_scores=True,
    )
    np.testing.assert_allclose(numpy(output), case["outputs"], atol=ATOL)
    np.testing.assert_allclose(numpy(scores), case["scores"], atol=ATOL)
    np.testing.assert_allclose(numpy(state["fed"]), case["attention"], atol=ATOL)
    assert_states(state["cell"], case, name)


# tests/layers compares steps with the call; these cases have the most different states.
@pytest.mark.parametrize("name", ["luong_stacked", "bahdanau_monotonic_lstm", "bahdanau_gru_cell_output"])
def test_steps_match_tensorflow_addons(name):
    case = CASES[name]
    rnn = wrapper(case, name, **arguments(name))
    memory = rnn.project_memory(case["memory"], lengths=case["lengths"])
    state = rnn.start(memory, states(case, name))
    for t in range(case["inputs"].shape[1]):
        output, scores, state = rnn.step(case["inputs"][:, t], memory, state)
        np.testing.assert_allclose(numpy(output), case["outputs"][:, t], atol=ATOL)
        np.testing.assert_allclose(numpy(scores), case["scores"][:, t], atol=ATOL)
    assert_states(state["cell"], case, name)


@pytest.mark.parametrize(
    "name", ["luong_lstm_training", "luong_lstm_training_imputed", "bahdanau_gru_training_imputed"]
)
def test_teacher_forcing_matches_the_training_sampler(name):
    case = DECODERS[name]
    rnn = wrapper(case, name, output_attention="bahdanau" not in name, return_state=True)
    mask = np.arange(5) < case["output_lengths"][:, None]
    inputs = case["embedding"][case["tokens"]]
    given = {"memory_lengths": case["lengths"], "initial_state": states(case, name)}
    outputs, state = rnn(inputs, case["memory"], mask=mask, **given)
    np.testing.assert_allclose(numpy(to_logits(case, outputs))[mask], case["logits"][mask], atol=ATOL)
    if "imputed" in name:  # tensorflow-addons keeps final states only with `impute_finished`, this library always
        assert_states(state["cell"], case, name)
        assert not case["logits"][~mask].any()
    np.testing.assert_array_equal(numpy(to_logits(case, outputs)).argmax(-1)[mask], case["sample_id"][mask])


@pytest.mark.parametrize("name", [name for name in DECODERS if "greedy" in name])
def test_greedy_matches_the_greedy_sampler(name):
    case = DECODERS[name]
    step, cache = decoder(case, name)
    tokens = numpy(decoding.greedy(step, cache, starts(case), LONGEST, END))
    written = np.arange(case["sample_id"].shape[1]) < case["output_lengths"][:, None]
    np.testing.assert_array_equal(tokens[:, : written.shape[1]], np.where(written, case["sample_id"], 0))
    assert not tokens[:, written.shape[1] :].any(), "positions after the end are padded"


def test_custom_attention_layer():
    case = CASES["luong_lstm"]
    layer = keras.layers.Dense(8, activation="tanh", use_bias=False)
    rnn = wrapper(case, "luong_lstm", attention_layer=layer)
    linear = wrapper(case, "luong_lstm")
    given = (case["inputs"][:, :1], case["memory"])
    np.testing.assert_allclose(numpy(rnn(*given)), np.tanh(numpy(linear(*given))), atol=1e-6)


def test_independent_of_the_order_of_names():
    case = CASES["luong_stacked"]
    weights = {name.partition(":")[0]: w for name, w in sorted(case["weights"].items())}
    rnn = migrate.attention_wrapper(weights, cell("luong_stacked"))
    given = {"memory_lengths": case["lengths"], "initial_state": states(case, "luong_stacked")}
    np.testing.assert_allclose(numpy(rnn(case["inputs"], case["memory"], **given)), case["outputs"], atol=ATOL)


def test_a_model_saves_and_loads(tmp_path):
    case = CASES["luong_lstm"]
    inputs, memory = keras.Input((None, 3)), keras.Input((None, 9))
    model = keras.Model([inputs, memory], wrapper(case, "luong_lstm")(inputs, memory))
    model.save(tmp_path / "migrated.keras")
    given = [case["inputs"], case["memory"]]
    np.testing.assert_allclose(
        numpy(keras.models.load_model(tmp_path / "migrated.keras")(given)), numpy(model(given)), atol=1e-6
    )


def test_cell_of_another_type_raises_an_error():
    case = CASES["luong_lstm"]
    with pytest.raises(ValueError, match="`cell` must have weights like the old ones. Received: .*gru"):
        migrate.attention_wrapper(case["weights"], keras.layers.GRUCell(6))
    without = {name: w for name, w in case["weights"].items() if "lstm" not in name}
    with pytest.raises(ValueError, match="must have the `kernel` of a cell"):
        migrate.attention_wrapper(without, keras.layers.LSTMCell(6))
