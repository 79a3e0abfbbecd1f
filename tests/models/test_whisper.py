"""Whisper: published size, decoding, files. Against transformers and CTranslate2: tests/migrate/test_whisper.py."""

import math

import keras
import numpy as np
import pytest

from keras_attention import models
from tests.backend import QUICK
from tests.layers.helpers import numpy
from tests.models.factories import INPUTS, SPEECH, make, of_class

INPUT = INPUTS["Whisper"]
TOKENS = INPUT["tokens"]


def test_tiny_has_its_published_size():
    """OpenAI counts neither positions of audio nor has it biases of keys."""
    V, D, F, layers, M, T, S = 51865, 384, 1536, 4, 80, 448, 1500
    own, network, norm = 4 * D * D + 3 * D, 2 * D * F + F + D, 2 * D
    encoder = layers * (own + network + 2 * norm) + norm + (3 * M + 1) * D + (3 * D + 1) * D
    decoder = layers * (2 * own + network + 3 * norm) + norm + V * D + T * D
    assert encoder + decoder == 37_184_640
    model = models.whisper()
    assert model.count_params() == 37_184_640 + S * D + 3 * layers * D == 37_765_248
    assert [weight.path for weight in model.non_trainable_weights] == ["encoder_position/table"]


def test_positions_of_audio_are_sines_then_cosines():
    table = numpy(models.whisper(11, **SPEECH).get_layer("encoder_position").table)
    for s, i in np.ndindex(8, 6):
        angle = s / 10000 ** (i / 5)
        np.testing.assert_allclose(table[s, [i, 6 + i]], [np.sin(angle), np.cos(angle)], atol=1e-6)


@pytest.mark.parametrize("prepared", [False, True])
def test_steps_after_a_prompt_are_the_whole_pass(prepared):
    model = of_class("Whisper")
    whole, cache = numpy(model(INPUT)), model.start(INPUT["audio"], TOKENS[:, :2], 5)
    step = model.prepare_step() if prepared else model.step
    for i in range(3):
        tokens = keras.ops.convert_to_tensor(TOKENS[:, 1 + i], "int32")
        logits, cache = step(tokens, cache, keras.ops.convert_to_tensor(i, "int32"))
        np.testing.assert_allclose(numpy(logits), whole[:, 1 + i], atol=1e-5)


def test_the_convolutions_are_of_three_frames_each():
    """The second one takes the frames 2 s - 1 to 2 s + 1, zeros outside."""
    model = of_class("Whisper")
    mel = numpy(model.get_layer("log_mel")(INPUT["audio"]))
    erf = np.vectorize(math.erf)

    def convolved(x, layer, stride):
        kernel, bias = (numpy(weight) for weight in layer.weights)
        x = np.pad(x, ((1, 1), (0, 0)))
        y = [sum(x[t + p] @ kernel[p] for p in range(3)) + bias for t in range(0, len(x) - 2, stride)]
        return 0.5 * np.array(y) * (1 + erf(np.array(y) / np.sqrt(2)))

    expected = [convolved(convolved(row, model.get_layer("conv_1"), 1), model.get_layer("conv_2"), 2) for row in mel]
    np.testing.assert_allclose(numpy(model.encoder.embedding(INPUT["audio"])), expected, atol=1e-5)


def test_attention_is_the_answers():
    scores = of_class("Whisper").attention_scores(INPUT)
    assert [x.shape for x in map(numpy, scores["encoder_self"])] == [(2, 3, 8, 8)] * 2
    assert numpy(scores["decoder_memory"][0]).shape == (2, 3, 4, 8)
    for part in keras.tree.flatten(scores):
        np.testing.assert_allclose(numpy(part).sum(-1), 1, rtol=1e-5)
    assert not np.triu(numpy(scores["decoder_self"][0]), 1).any()


def test_tokens_depend_on_the_audio_and_training_leaves_positions():
    model = make("Whisper")
    other = {
        **INPUT,
        "audio": np.sin(np.arange(905) / np.float32([[2], [9]])) * np.linspace(0, 1, 905, dtype="float32"),
    }
    assert np.abs(numpy(model(INPUT)) - numpy(model(other))).max() > 1e-2
    before = numpy(model.get_layer("encoder_position").table)
    model.compile("sgd", keras.losses.SparseCategoricalCrossentropy(from_logits=True), **QUICK)
    history = model.fit(INPUT, np.roll(TOKENS, -1, axis=1), epochs=3, verbose=0).history["loss"]
    assert history[-1] < history[0]
    np.testing.assert_array_equal(numpy(model.get_layer("encoder_position").table), before)


def test_wrong_audio_and_arguments():
    model = of_class("Whisper")
    for audio, received in ((np.zeros((2, 0)), r"\(2, 0\)"), (np.zeros((2, 2561)), r"\(2, 2561\)")):
        with pytest.raises(ValueError, match=f"N from 1 to 2560, the samples of 0.16 seconds. .*{received}"):
            model.start(audio.astype("float32"), TOKENS, 3)
        with pytest.raises(ValueError, match="N from 1 to 2560"):
            model({"audio": audio.astype("float32"), "tokens": TOKENS})
    for call in (model.encode, lambda x: model({"audio": x, "tokens": TOKENS})):
        with pytest.raises(ValueError, match="must be floats from -1 to 1.*int16"):
            call(np.ones((2, 900), "int16"))
    with pytest.raises(ValueError, match=r"at most 9, the number of learned.*\(2, 4\), max_length=7"):
        model.start(INPUT["audio"], TOKENS, 7)
    with pytest.raises(ValueError, match=r"`prompt` must be \[B, P\] with P at least 1. .*\(2, 0\)"):
        model.start(INPUT["audio"], TOKENS[:, :0], 3)
    with pytest.raises(ValueError, match="`audio_length` must be a multiple of 320.*audio_length=1760"):
        models.whisper(11, **{**SPEECH, "audio_length": 1760})
