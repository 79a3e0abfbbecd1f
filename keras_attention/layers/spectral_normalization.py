"""Spectral normalization of the kernel of a layer."""

import math
from typing import Unpack

import keras
from keras import ops

from keras_attention.layers.bases.base_layer import BaseLayer
from keras_attention.ops import spectral_norm
from keras_attention.ops.require import require_bool, require_int, require_number
from keras_attention.ops.spectral import may_move
from keras_attention.types import LayerOptions, Nest

CONVOLUTIONS = ("Conv1D", "Conv2D", "Conv3D", "Conv1DTranspose", "Conv2DTranspose", "Conv3DTranspose")
LAYERS = ("Dense", *CONVOLUTIONS, "DepthwiseConv1D", "DepthwiseConv2D", "EinsumDense", "Embedding")


@keras.saving.register_keras_serializable(package="keras_attention")
class SpectralNormalization(BaseLayer, keras.layers.Wrapper):
    r"""Spectral normalization: divides the kernel of a layer by its largest singular value.

    $$ \bar{W} = W / \sigma(W), \quad y = \mathrm{layer}_{\bar{W}}(x) $$

    as in "Spectral Normalization for Generative Adversarial Networks", eq. 8 and algorithm 1
    ([Miyato et al., 2018](https://arxiv.org/abs/1802.05957)). Written out, with I inputs and O outputs of the kernel as
    one matrix:

        W:       [I, O]  = the kernel: [*k * C, O] of a convolution, [D, K] of an embedding of K tokens (its table
                           transposed), [contracted, other] letters of the equation of `EinsumDense`; of transposed
                           convolutions [*k * filters, C] and of depthwise ones [*k * C, multiplier]: O is the last
                           axis of any kernel, as in `keras.layers.SpectralNormalization`
        sigma:   []      = `iterations` of `ops.spectral_norm` from the stored u [O]
        outputs:         = layer(inputs), with kernel / sigma for the kernel; a bias is unchanged

    The stored kernel is only changed by the optimizer. Its gradient flows through sigma, with u and v constant, and is
    orthogonal to it. Training and inference compute the same function; `training=True` updates u, unless the layer's
    `trainable` is false.

    **u is updated once a training step**, as published, in `training.AdversarialModel` and inside
    `with ops.spectral_step():`, however often the layer is called. Elsewhere every call with `training=True` updates
    it.

    A kernel of zeros is unchanged. Regularizers and constraints apply to the stored kernel.

    Quantization and LoRA are not supported: they replace the kernel that sigma is computed of. `quantize` and
    `enable_lora` of `layer` raise `NotImplementedError`, at which `keras.Model.quantize` leaves `layer` as it is, with
    a warning, and quantizes the others.

    Differs from the paper: nothing. Differs from the published code of SAGAN, whose gradient also flows through u and
    v, and which updates u in evaluation too; and from `keras.layers.SpectralNormalization`, which overwrites the
    kernel.

    Weights: those of `layer` under its name, and `u` [O], non-trainable.

    Args:
        layer: `Dense`, `Conv1D` to `Conv3D`, `Conv1DTranspose` to `Conv3DTranspose`, `DepthwiseConv1D`,
            `DepthwiseConv2D`, `EinsumDense` or `Embedding` of Keras, or its config.
        iterations: Positive int, power iterations per call; 1 in the paper.
        epsilon: Positive float, added to the norms in denominators.
        shrink_only: Whether to divide by max(1, sigma), as the TF-GAN library does: kernels with sigma at most 1 are
            unchanged.
        **kwargs: `name` and the rest of `keras.layers.Layer`. `dtype` is that of `layer`, and is set on it if given.

    Call arguments:
        inputs: What `layer` takes.
        training: Whether to update u.

    Returns:
        What `layer` returns.

    Raises:
        ValueError: If `layer` is none of these, is quantized, has LoRA or an `activity_regularizer` (which belongs on
            the wrapper), or an argument is out of range.

    Example:

    >>> import numpy as np
    >>> layer = SpectralNormalization(keras.layers.Dense(4, use_bias=False), iterations=50)
    >>> kernel = ops.convert_to_numpy(layer(np.eye(3, dtype="float32")))  # the normalized kernel
    >>> round(float(np.linalg.norm(kernel, 2)), 3)
    1.0
    """

    def __init__(
        self,
        layer: keras.Layer,
        iterations: int = 1,
        epsilon: float = 1e-12,
        shrink_only: bool = False,
        **kwargs: Unpack[LayerOptions],
    ) -> None:
        layer = _require_layer(layer)
        iterations = require_int(iterations, "iterations")
        epsilon = require_number(epsilon, "epsilon", above=0)
        shrink_only = require_bool(shrink_only, "shrink_only")
        if kwargs.get("dtype") is not None:
            layer.dtype_policy = keras.dtype_policies.get(kwargs["dtype"])
        _keep_plain(layer)
        # Not autocast: sigma is computed from the stored kernel.
        super().__init__(layer, **{**kwargs, "dtype": "float32", "autocast": False})
        self.iterations = iterations
        self.epsilon = epsilon
        self.shrink_only = shrink_only
        self.supports_masking = layer.supports_masking

    @property
    def _features_axis(self):
        if not hasattr(self.layer, "data_format"):
            return -1 if isinstance(self.layer, keras.layers.Dense) else None
        return -1 if self.layer.data_format == "channels_last" else 1

    def build(self, input_shape):
        super().build(input_shape)
        inputs, outputs = _axes(self.layer)
        shape = _kernel(self.layer).shape
        self._order = (*inputs, *outputs)
        self._size = math.prod(shape[axis] for axis in outputs)
        self.u = self.add_weight(
            shape=(self._size,),
            initializer=keras.initializers.TruncatedNormal(stddev=1.0),
            trainable=False,
            aggregation="only_first_replica",
            name="u",
        )

    def call(self, inputs: Nest, training: bool | None = None) -> Nest:
        variable = _kernel(self.layer)
        kernel = ops.convert_to_tensor(variable)
        matrix = ops.reshape(ops.transpose(kernel, self._order), (-1, self._size))
        sigma, u = spectral_norm(matrix, self.u, self.iterations, self.epsilon)
        if training and self.trainable and may_move(self):
            self.u.assign(u)
        least = 1.0 if self.shrink_only else self.epsilon
        normalized = kernel / ops.cast(ops.where(sigma > least, sigma, 1.0), kernel.dtype)
        state = [(w, normalized if w is variable else w.value) for w in self.layer.variables]
        with keras.StatelessScope(state):
            return self.layer(inputs, training=training)

    def compute_output_shape(self, input_shape):
        return tuple(self.layer.compute_output_shape(input_shape))

    def compute_output_spec(self, inputs, training=None):
        return self.layer.compute_output_spec(inputs)

    def compute_mask(self, inputs, mask=None):
        return self.layer.compute_mask(inputs, mask)

    def get_config(self):
        config = super().get_config()
        del config["dtype"]  # is in the config of the layer
        return {
            **config,
            "iterations": self.iterations,
            "epsilon": self.epsilon,
            "shrink_only": self.shrink_only,
        }


def normalised_if(condition, layer):
    """Returns `layer`, wrapped in `SpectralNormalization` under its own name if `condition`."""
    return SpectralNormalization(layer, name=layer.name) if condition else layer


def _require_layer(layer):
    """Returns `layer`, deserialized if it is a config."""
    layer = keras.saving.deserialize_keras_object(layer) if isinstance(layer, dict) else layer
    if not isinstance(layer, tuple(getattr(keras.layers, name) for name in LAYERS)):
        raise ValueError(f"`layer` must be one of {LAYERS}. Received: layer={layer!r}")
    if layer.activity_regularizer is not None:
        raise ValueError(
            "`layer` must not have an `activity_regularizer`: give it to `SpectralNormalization`. "
            f"Received: layer.activity_regularizer={layer.activity_regularizer!r}"
        )
    return layer


def _keep_plain(layer):
    """Raises if `layer` is quantized or has LoRA; from now on, its `quantize` and `enable_lora` raise."""
    mode, rank = layer.quantization_mode, getattr(layer, "lora_rank", None)
    if mode is not None or rank:
        raise ValueError(
            "`layer` must be neither quantized nor have LoRA to be spectrally normalized. "
            f"Received: layer.quantization_mode={mode!r}, layer.lora_rank={rank!r}"
        )

    def refuse(*args, **kwargs):
        # At this type `keras.Model.quantize` skips the layer.
        raise NotImplementedError(
            f"The kernel of `{layer.name}` is spectrally normalized, and supports neither quantization nor LoRA."
        )

    layer.quantize = layer.enable_lora = refuse


def _kernel(layer):
    """The kernel variable."""
    return layer.embeddings if isinstance(layer, keras.layers.Embedding) else layer.kernel


def _axes(layer):
    """Axes of the kernel that the layer contracts, and those of its outputs."""
    if isinstance(layer, keras.layers.Embedding):
        return (1,), (0,)
    if isinstance(layer, keras.layers.EinsumDense):
        terms, outputs = layer.equation.split("->")
        letters = terms.split(",")[1].strip()
        kept = tuple(i for i, letter in enumerate(letters) if letter in outputs)
        return tuple(i for i in range(len(letters)) if i not in kept), kept
    rank = len(layer.kernel.shape)
    return tuple(range(rank - 1)), (rank - 1,)
