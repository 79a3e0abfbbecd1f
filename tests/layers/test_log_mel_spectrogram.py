"""The spectrogram against loops over samples and bands. Against transformers: tests/migrate/test_whisper.py."""

import math

import keras
import numpy as np
import pytest

from keras_attention import layers
from keras_attention.layers import log_mel_spectrogram
from tests.layers.helpers import numpy

RNG = np.random.default_rng(0)


def hertz(mel):
    return 200 * mel / 3 if mel < 15 else 1000 * 6.4 ** ((mel - 15) / 27)


def loops(row, bins, length):
    """The equation, sample by sample."""
    x = np.pad([*row, *[0.0] * (length - len(row))], 200, mode="reflect")
    top = 15 + 27 * math.log(8) / math.log(6.4)
    edges = [hertz(top * i / (bins + 1)) for i in range(bins + 2)]
    window = [0.5 - 0.5 * math.cos(2 * math.pi * n / 400) for n in range(400)]
    levels = np.zeros((length // 160, bins))
    for t in range(length // 160):
        piece = np.array([window[n] * x[160 * t + n] for n in range(400)])
        for m in range(bins):
            left, center, right = edges[m : m + 3]
            energy = 0.0
            for f in range(201):
                hz = 40.0 * f
                height = max(0.0, min((hz - left) / (center - left), (right - hz) / (right - center)))
                if height:
                    turns = np.exp(-2j * math.pi * f * np.arange(400) / 400)
                    energy += height * 2 / (right - left) * abs((piece * turns).sum()) ** 2
            levels[t, m] = math.log10(max(energy, 1e-10))
    return (np.maximum(levels, levels.max() - 8) + 4) / 4


def test_each_sample_and_band_by_loops():
    x = 0.1 * RNG.standard_normal((2, 700)).astype("float32")
    x[1] *= np.linspace(1e-6, 1e-3, 700)  # quiet: above the floor only in parts
    y = numpy(layers.LogMelSpectrogram(num_bins=9, length=800)(x))
    np.testing.assert_allclose(y, [loops(row, 9, 800) for row in x.astype("float64")], atol=2e-4)
    assert y.std() > 0.1


def test_silence_is_appended_and_its_level_is_the_lowest():
    x = 0.1 * RNG.standard_normal((1, 480)).astype("float32")
    layer = layers.LogMelSpectrogram(num_bins=9, length=1600)
    y, whole = numpy(layer(x))[0], numpy(layer(np.pad(x, ((0, 0), (0, 1120)))))[0]
    np.testing.assert_array_equal(y, whole)
    np.testing.assert_allclose(y[5:], y.max() - 2, atol=1e-5)
    np.testing.assert_allclose(numpy(layer(np.zeros((1, 3), "float32"))), -1.5, atol=1e-6)


def test_padding_is_silence():
    x = 0.1 * RNG.standard_normal((2, 700)).astype("float32")
    lengths = np.array([[300], [700]])
    mask = np.arange(700) < lengths
    layer = layers.LogMelSpectrogram(num_bins=9, length=800)
    y = numpy(layer(np.where(mask, x, np.nan).astype("float32"), mask=mask))
    for row, length, expected in zip(x, lengths[:, 0], y, strict=True):
        np.testing.assert_allclose(numpy(layer(row[None, :length]))[0], expected, atol=1e-5)
    assert not hasattr(layer(x, mask=mask), "_keras_mask")


def test_bands_have_the_area_of_one_hertz():
    np.testing.assert_allclose(log_mel_spectrogram.mel_filters(9).sum(0) * 40, 1, atol=0.02)
    # The published network of 80 bands has this greatest weight, in the lowest band.
    assert log_mel_spectrogram.mel_filters(80).shape == (201, 80) and log_mel_spectrogram.mel_filters(
        80
    ).max() == pytest.approx(0.025880685, rel=1e-6)


def test_more_samples_of_a_graph_that_does_not_know_them_are_dropped():
    layer, audio = layers.LogMelSpectrogram(num_bins=9, length=800), keras.Input((None,))
    model = keras.Model(audio, layer(audio))
    x = 0.1 * RNG.standard_normal((2, 900)).astype("float32")
    if keras.backend.backend() == "tensorflow":
        import tensorflow as tf

        answer = tf.function(model, input_signature=[tf.TensorSpec((None, None))], jit_compile=True)
        np.testing.assert_allclose(numpy(answer(x)), numpy(layer(x[:, :800])), atol=2e-4)
        np.testing.assert_allclose(numpy(answer(x[:, :0])), -1.5, atol=1e-6)
    with pytest.raises(ValueError, match=r"N from 1 to 800, the samples of 0.05 seconds. .*\(2, 900\)"):
        model(x)


def test_wrong_arguments():
    layer = layers.LogMelSpectrogram(num_bins=9, length=800)
    with pytest.raises(ValueError, match=r"N from 1 to 800.*\(2, 0\)"):
        layer(np.zeros((2, 0), "float32"))
    with pytest.raises(ValueError, match=r"`inputs` must be \[B, N\].*\(700,\)"):
        layer(np.zeros((700,), "float32"))
    with pytest.raises(ValueError, match=r"must be floats from -1 to 1 \(int16 samples / 32768\). .*int16"):
        layer(np.ones((2, 700), "int16"))
    for length in (801, 320, 0):
        with pytest.raises(ValueError, match=f"`length`.*length={length}"):
            layers.LogMelSpectrogram(length=length)


def eight_bits(x):
    mantissa, exponent = np.frexp(x)
    return np.ldexp(np.round(mantissa * 2**8) / 2**8, exponent)


def test_the_transform_survives_products_of_eight_bits():
    x = np.pad(RNG.standard_normal((20, 400)), ((0, 0), (0, 80))).astype("float32")
    window = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(400) / 400)
    exact = np.fft.rfft(x[:, :400].astype("float64") * window)
    exact = np.concatenate([exact.real, -exact.imag], axis=1)
    summands = numpy(log_mel_spectrogram.in_two_summands(keras.ops.convert_to_tensor(x)))
    np.testing.assert_array_equal(eight_bits(summands[:, :480]), summands[:, :480])
    matrix = log_mel_spectrogram.fourier_matrix()
    found = eight_bits(summands).astype("float64") @ eight_bits(matrix)
    coarse = eight_bits(x).astype("float64") @ eight_bits(matrix[:480] + matrix[-480:])
    assert np.abs(found - exact).max() < 1e-3 < 0.05 < np.abs(coarse - exact).max()
