"""Position-wise feed-forward network of the Transformer."""

from collections.abc import Callable
from typing import Unpack

import keras

from keras_attention.layers.bases.position_wise import PositionWise
from keras_attention.layers.bases.prepared_steps import is_plain, prepare
from keras_attention.types import Activation, Initializer, LayerOptions, Tensor


@keras.saving.register_keras_serializable(package="keras_attention")
class FeedForward(PositionWise):
    r"""Position-wise feed-forward network: two dense layers.

    $$ \mathrm{FFN}(x) = \max(0, x W_1 + b_1) W_2 + b_2 $$

    as in "Attention Is All You Need", eq. 2
    ([Vaswani et al., 2017](https://arxiv.org/abs/1706.03762)). Written out, with
    B batch, T length, D model width, F = intermediate_dim:

        hidden: [B, T, F] = activation(inputs W_1 + b_1)
        output: [B, T, D] = hidden W_2 + b_2

    Masking: each position by itself; a Keras mask is propagated.

    Args:
        intermediate_dim: Positive int F; 4 D in the paper.
        activation: Activation between the two; `"relu"` in the paper. A name or function
            of Keras, or `"gelu_tanh"`, the approximation of GELU by tanh.
        kernel_initializer: Initializer of both kernels.
        use_bias: Whether the dense layers have biases.
        **kwargs: `name`, `dtype` and the rest of `keras.layers.Layer`.

    Call arguments:
        inputs: [..., D].

    Returns:
        Tensor shaped like `inputs`.

    Example:

    >>> from keras_attention.layers import FeedForward
    >>> FeedForward(64)(keras.Input((None, 16))).shape
    (None, None, 16)
    """

    def __init__(
        self,
        intermediate_dim: int,
        activation: Activation = "relu",
        kernel_initializer: Initializer = "glorot_uniform",
        use_bias: bool = True,
        **kwargs: Unpack[LayerOptions],
    ) -> None:
        super().__init__(intermediate_dim, activation, kernel_initializer, use_bias, **kwargs)

    def build(self, input_shape):
        self.expand = self._dense(self.intermediate_dim, "expand", input_shape, self.activation)
        self._build_contract(input_shape)

    def call(self, inputs: Tensor) -> Tensor:
        return self.contract(self.expand(inputs))

    def prepare_step(self) -> Callable[[Tensor], Tensor] | None:
        """Returns `step(x [B, D]) -> [B, D]`, with the weights laid out once; `None` if they are of another kind."""
        if type(self) is not FeedForward or not (is_plain(self.expand) and is_plain(self.contract)):
            return None
        expand, contract = prepare(self.expand), prepare(self.contract)
        return lambda x: contract(*expand(x))[0]
