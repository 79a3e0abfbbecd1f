"""Gated feed-forward network of Transformers: SwiGLU, GEGLU and their kin."""

from collections.abc import Callable
from typing import Unpack

import keras

from keras_attention.layers.bases.position_wise import PositionWise
from keras_attention.layers.bases.prepared_steps import is_plain, prepare
from keras_attention.types import Activation, Initializer, LayerOptions, Tensor


@keras.saving.register_keras_serializable(package="keras_attention")
class GatedFeedForward(PositionWise):
    r"""Position-wise feed-forward network with a gate, such as SwiGLU and GEGLU.

    $$ \mathrm{FFN}(x) = (f(x W_{gate}) \odot x W_1) W_2 $$

    as in "GLU Variants Improve Transformer", eq. 6
    ([Shazeer, 2020](https://arxiv.org/abs/2002.05202)). Written out, with
    B batch, T length, D model width, F = intermediate_dim:

        hidden: [B, T, F] = activation(inputs W_gate) * (inputs W_1)
        output: [B, T, D] = hidden W_2

    It has three kernels where `FeedForward` has two: the paper takes 2/3 of its F for as
    many parameters.

    Masking: each position by itself; a Keras mask is propagated.

    Args:
        intermediate_dim: Positive int F.
        activation: Activation f of the gate: `"silu"` for SwiGLU, `"gelu"` for GEGLU,
            `"relu"` for ReGLU, `"sigmoid"` for GLU.
        kernel_initializer: Initializer of the three kernels.
        use_bias: Whether the dense layers have biases; none in the paper.
        **kwargs: `name`, `dtype` and the rest of `keras.layers.Layer`.

    Call arguments:
        inputs: [..., D].

    Returns:
        Tensor shaped like `inputs`.

    Example:

    >>> from keras_attention.layers import GatedFeedForward
    >>> GatedFeedForward(64)(keras.Input((None, 16))).shape
    (None, None, 16)
    """

    def __init__(
        self,
        intermediate_dim: int,
        activation: Activation = "silu",
        kernel_initializer: Initializer = "glorot_uniform",
        use_bias: bool = False,
        **kwargs: Unpack[LayerOptions],
    ) -> None:
        super().__init__(intermediate_dim, activation, kernel_initializer, use_bias, **kwargs)

    def build(self, input_shape):
        self.gate = self._dense(self.intermediate_dim, "gate", input_shape, self.activation)
        self.expand = self._dense(self.intermediate_dim, "expand", input_shape)
        self._build_contract(input_shape)

    def call(self, inputs: Tensor) -> Tensor:
        return self.contract(self.gate(inputs) * self.expand(inputs))

    def prepare_step(self) -> Callable[[Tensor], Tensor] | None:
        """Returns `step(x [B, D]) -> [B, D]`, with the weights laid out once; `None` if they are of another kind."""
        if type(self) is not GatedFeedForward or not all(map(is_plain, (self.gate, self.expand, self.contract))):
            return None
        enter, contract = prepare(self.gate, self.expand), prepare(self.contract)

        def step(x):
            gate, hidden = enter(x)
            return contract(gate * hidden)[0]

        return step
