"""Log-mel spectrogram of a waveform, the front end of Whisper."""

from typing import Unpack

import keras
import numpy as np
from keras import ops

from keras_attention.layers.bases.base_layer import BaseLayer
from keras_attention.layers.bases.checks import check_padding
from keras_attention.ops import require_boolean
from keras_attention.ops.require import require_int
from keras_attention.ops.shapes.padding import zero_padding
from keras_attention.ops.shapes.sizes import known
from keras_attention.types import LayerOptions, Tensor

SAMPLE_RATE = 16000  # Hz
WINDOW = 400  # samples, 25 ms
HOP = 160  # samples, 10 ms
FREQUENCIES = WINDOW // 2 + 1
FLOOR = 1e-10  # the least power of a band
RANGE = 8.0  # powers of ten below the largest band


@keras.saving.register_keras_serializable(package="keras_attention")
class LogMelSpectrogram(BaseLayer):
    r"""Log-mel spectrogram: the power of a waveform in bands of frequencies, every 10 ms.

    $$ s_{tm} = \log_{10} \max(10^{-10}, \sum_f F_{fm} |X_{tf}|^2), \quad
       y_{tm} = (\max(s_{tm}, \max_{t,m} s_{tm} - 8) + 4) / 4 $$

    with the short-time Fourier transform X (Hann windows of 25 ms, reflected at both ends) and triangles F on Slaney's
    mel scale, each with the area of 1 Hz, as in "Robust Speech Recognition via Large-Scale Weak Supervision", 2.2
    ([Radford et al., 2022](https://arxiv.org/abs/2212.04356)) and its published code. Written out, with B batch, N
    samples, L = length, M = num_bins:

        inputs: [B, N], N at most L; silence is appended
        output: [B, L / 160, M]

    Differs from the paper: nothing.

    Masking: padding, even NaN, is silence. The output has other positions, and no mask. Computed in float32 under
    every dtype policy, then cast.

    Args:
        num_bins: Positive int M, 80 in the paper.
        length: Positive int L, samples, a multiple of 160: 480000, 30 s, in the paper.
        **kwargs: `name`, `dtype` and the rest of `keras.layers.Layer`.

    Call arguments:
        inputs: [B, N] samples of floats from -1 to 1, 16,000 a second.
        mask: [B, N]. True marks samples that take part; `None` means the Keras mask.

    Returns:
        [B, L / 160, M], about -1 to 1.5.

    Raises:
        ValueError: If an argument is out of range, the inputs are not [B, N] floats, there is no sample or there are
            more than L. In a graph that does not know N, no sample is silence, and those after L are dropped.

    Example:

    >>> from keras_attention.layers import LogMelSpectrogram
    >>> tuple(LogMelSpectrogram(length=16000)(keras.ops.ones((2, 8000))).shape)
    (2, 100, 80)
    """

    def __init__(self, num_bins: int = 80, length: int = 30 * SAMPLE_RATE, **kwargs: Unpack[LayerOptions]) -> None:
        # Not autocast: in half precision a waveform has no more than its loudest bits.
        super().__init__(**{"autocast": False, **kwargs})
        self.num_bins = require_int(num_bins, "num_bins")
        self.length = require_int(length, "length")
        self.supports_masking = True
        if length % HOP or length <= WINDOW:
            raise ValueError(f"`length` must be a multiple of {HOP} of more than {WINDOW}. Received: length={length}")

    def build(self, input_shape):
        self._require_shape(input_shape)
        self._filters = mel_filters(self.num_bins)
        self._transform = fourier_matrix()

    def call(self, inputs: Tensor, mask: Tensor | None = None) -> Tensor:
        self._require_shape(inputs.shape)
        check_padding(mask, "mask", tuple(inputs.shape), "the inputs")
        require_floats(inputs, "inputs")
        audio = zero_padding(ops.cast(inputs, "float32"), require_boolean(mask, "mask"))
        silence = ops.zeros((ops.shape(audio)[0], self.length), "float32")
        audio = ops.concatenate([audio, silence], axis=1)[:, : self.length]
        parts = ops.square(ops.matmul(in_two_summands(_windows(audio)), self._transform))
        power = parts[..., :FREQUENCIES] + parts[..., FREQUENCIES:]
        levels = ops.log10(ops.maximum(ops.matmul(power, self._filters), FLOOR))
        levels = ops.maximum(levels, ops.max(levels, axis=(1, 2), keepdims=True) - RANGE)
        return ops.cast((levels + 4.0) / 4.0, self.compute_dtype)

    def compute_mask(self, inputs, previous_mask=None):
        return None

    def compute_output_shape(self, input_shape):
        return (input_shape[0], self.length // HOP, self.num_bins)

    def get_config(self):
        return {**super().get_config(), "num_bins": self.num_bins, "length": self.length}

    @property
    def _features_axis(self):
        return None

    def _require_shape(self, shape):
        if len(shape) != 2 or (known(shape[1]) and not 1 <= shape[1] <= self.length):
            raise ValueError(
                f"`inputs` must be [B, N] with N from 1 to {self.length}, the samples of {self.length / SAMPLE_RATE:g} "
                f"seconds. Received: inputs.shape={tuple(shape)}"
            )


def require_floats(audio, name):
    """Raises for integer samples, which are not from -1 to 1."""
    dtype = keras.backend.standardize_dtype(audio.dtype)
    if "float" not in dtype:
        raise ValueError(f"`{name}` must be floats from -1 to 1 (int16 samples / 32768). Received: dtype={dtype}")


def _windows(audio):
    """[B, L] -> [B, L / 160, 480]: 400 samples around every 160th, and the next 80, of which none is used."""
    B, L = ops.shape(audio)
    audio = ops.pad(ops.pad(audio, ((0, 0), (WINDOW // 2,) * 2), mode="reflect"), ((0, 0), (0, 3 * HOP - WINDOW)))
    hops = ops.reshape(audio, (B, L // HOP + 3, HOP))
    return ops.concatenate([hops[:, i : i + L // HOP] for i in range(3)], axis=-1)


def in_two_summands(x):
    """`x` [..., n] as [..., 3 n]: the first 8 bits of each number, the others, and the first again.

    Accelerators round the factors of a float32 product to 8 or 11 bits, which quiet bands do not survive.
    """
    scaled = x * (2.0**16 + 1.0)
    high = scaled - (scaled - x)
    return ops.concatenate([high, x - high, high], axis=-1)


def fourier_matrix():
    """The discrete Fourier transform of windows, float32 [3 * 480, 2 * 201]: for `in_two_summands`; cosines, sines.

    A product, as the fast transforms of other runtimes only know powers of two.
    """
    n = np.arange(WINDOW).reshape(-1, 1)
    turns = 2 * np.pi * n * np.arange(FREQUENCIES) / WINDOW
    matrix = np.concatenate([np.cos(turns), np.sin(turns)], axis=1) * (0.5 - 0.5 * np.cos(2 * np.pi * n / WINDOW))
    matrix = np.pad(matrix, ((0, 3 * HOP - WINDOW), (0, 0))).astype("float32")
    mantissa, exponent = np.frexp(matrix)
    high = np.ldexp(np.round(mantissa * 2**8) / 2**8, exponent).astype("float32")
    return np.concatenate([high, high, matrix - high])


def mel_filters(num_bins):
    """Slaney's triangles from 0 to 8 kHz, float32 [frequencies of a window, `num_bins`], each with the area of 1 Hz.

    They reach from the center of one band to that of the next but one. The scale: 15 bands for the first 1 kHz, linear;
    27 for each factor of 6.4 above, logarithmic.
    """
    mels = np.linspace(0.0, 15.0 + 27.0 * np.log(SAMPLE_RATE / 2000) / np.log(6.4), num_bins + 2)
    edges = np.where(mels < 15.0, mels * 1000 / 15, 1000 * np.exp(np.log(6.4) * (mels - 15.0) / 27.0))
    left, center, right = edges[:-2], edges[1:-1], edges[2:]
    frequencies = np.linspace(0, SAMPLE_RATE / 2, FREQUENCIES).reshape(-1, 1)
    rising, falling = (frequencies - left) / (center - left), (right - frequencies) / (right - center)
    return (np.maximum(0.0, np.minimum(rising, falling)) * 2.0 / (right - left)).astype("float32")
