"""GRU cell of RNNsearch: Keras's with the update gate inverted."""

from collections.abc import Callable
from typing import Any, Self, Unpack

import keras
from keras import ops

from keras_attention.layers.bases.base_layer import BaseLayer
from keras_attention.layers.bases.projections import clone
from keras_attention.ops.require import require_choice, require_int
from keras_attention.types import Initializer, LayerOptions, Nest, Tensor

BIASES = (True, False, "candidate")


@keras.saving.register_keras_serializable(package="keras_attention")
class GatedRecurrentCell(BaseLayer):
    r"""GRU cell of RNNsearch: Keras's with the update gate inverted.

    $$ z = \sigma(x W_z + h U_z), \quad r = \sigma(x W_r + h U_r), \quad
       \tilde{h} = \tanh(x W + (r \circ h) U), \quad h' = (1 - z) \circ h + z \circ \tilde{h} $$

    as in "Neural Machine Translation by Jointly Learning to Align and Translate",
    appendix A.1.1 ([Bahdanau et al., 2015](https://arxiv.org/abs/1409.0473)). The paper
    omits the biases in its equations. Written out, with B batch, D inputs, U units:

        z, r:      [B, U] each = sigmoid(inputs kernel + h gates_kernel + bias)
        candidate: [B, U] = tanh(inputs kernel + (r * h) candidate_kernel + bias)
        output:    [B, U] = (1 - z) * h + z * candidate

    `keras.layers.GRUCell` has the update gate inverted, h' = z h + (1 - z) candidate,
    and by default applies r after the product with U (`reset_after=True`). `to_keras`
    and `from_keras` convert the weights: since 1 - sigmoid(a) = sigmoid(-a), the
    weights of z change their sign.

    Runs inside `keras.layers.RNN` and `AttentionRNN`.

    Args:
        units: Positive int U.
        use_bias: `True`, biases for both gates and the candidate; `False`, none;
            `"candidate"`, one for the candidate alone, as in the authors' code.
        kernel_initializer: Initializer of `kernel` [D, 3 U], for z, r and the
            candidate.
        recurrent_initializer: Initializer of U_z, U_r and U, applied to each [U, U], so
            that each is orthogonal by default.
        bias_initializer: Initializer of the bias.
        **kwargs: `name`, `dtype` and the rest of `keras.layers.Layer`.

    Call arguments:
        inputs: [B, D].
        states: [B, U], or a list of one such tensor.

    Returns:
        `(output, states)`, both the new state: [B, U], and in the structure of
        `states`.

    Example:

    >>> from keras_attention.layers import GatedRecurrentCell
    >>> keras.layers.RNN(GatedRecurrentCell(8))(keras.Input((None, 5))).shape
    (None, 8)
    """

    def __init__(
        self,
        units: int,
        use_bias: bool | str = True,
        kernel_initializer: Initializer = "glorot_uniform",
        recurrent_initializer: Initializer = "orthogonal",
        bias_initializer: Initializer = "zeros",
        **kwargs: Unpack[LayerOptions],
    ) -> None:
        super().__init__(**kwargs)
        self.units = require_int(units, "units")
        self.use_bias = require_choice(use_bias, "use_bias", BIASES)
        self.kernel_initializer = keras.initializers.get(kernel_initializer)
        self.recurrent_initializer = keras.initializers.get(recurrent_initializer)
        self.bias_initializer = keras.initializers.get(bias_initializer)
        self.state_size = self.output_size = self.units

    def build(self, input_shape):
        U, D = self.units, input_shape[-1]
        if D is None:
            raise ValueError(f"The last axis of `inputs` must be known. Received: inputs.shape={tuple(input_shape)}")
        self.kernel = self.add_weight(shape=(D, 3 * U), initializer=self.kernel_initializer, name="kernel")
        blocks = _Blocks(self.recurrent_initializer)
        self.gates_kernel = self.add_weight(shape=(U, 2 * U), initializer=blocks, name="gates_kernel")
        self.candidate_kernel = self.add_weight(shape=(U, U), initializer=blocks, name="candidate_kernel")
        if self.use_bias:
            size = U if self.use_bias == "candidate" else 3 * U
            self.bias = self.add_weight(shape=(size,), initializer=self.bias_initializer, name="bias")

    def call(self, inputs: Tensor, states: Nest, training: bool | None = None) -> tuple[Tensor, Nest]:
        nested = keras.tree.is_nested(states)
        h = self.advance(self.projection()(inputs), states[0] if nested else states)
        return h, [h] if nested else h

    def projection(self, first: int = 0, last: int | None = None) -> Callable[[Tensor], Tensor]:
        """Projects the input features `first` to `last` for z, r and the candidate.

        `advance` takes the sum of the projections of all features: those known before
        the loop can be projected for all steps at once.

        Args:
            first: Index of the first feature; the projection that begins with 0 adds
                the bias.
            last: Index after the last feature.

        Returns:
            Function from [..., last - first] to [..., 3 U].
        """
        kernel, U = ops.cast(self.kernel, self.compute_dtype)[first:last], self.units
        bias = None
        if self.use_bias and first == 0:
            bias = ops.cast(self.bias, self.compute_dtype)
            bias = ops.pad(bias, [[3 * U - bias.shape[0], 0]])

        def project(x):
            # Rank 2: TensorFlow's gradient of a batched matmul holds a kernel for each sample.
            y = ops.matmul(ops.reshape(ops.cast(x, self.compute_dtype), (-1, kernel.shape[0])), kernel)
            return ops.reshape(y if bias is None else y + bias, (*ops.shape(x)[:-1], 3 * U))

        return project

    def advance(self, projected: Tensor, h: Tensor) -> Tensor:
        """The next state [B, U] from `projection` [B, 3 U] and the state [B, U]."""
        U = self.units
        h = ops.cast(h, self.compute_dtype)
        gates_kernel, kernel = (ops.cast(w, self.compute_dtype) for w in (self.gates_kernel, self.candidate_kernel))
        gates = ops.sigmoid(projected[:, : 2 * U] + ops.matmul(h, gates_kernel))
        z, r = gates[:, :U], gates[:, U:]
        candidate = ops.tanh(projected[:, 2 * U :] + ops.matmul(r * h, kernel))
        return h + z * (candidate - h)

    def get_initial_state(self, batch_size: int | None = None) -> Nest:
        return [ops.zeros((batch_size, self.units), dtype=self.compute_dtype)]

    def to_keras(self, **kwargs: Any) -> keras.layers.GRUCell:
        """Converts to a built `keras.layers.GRUCell` with `reset_after=False`.

        Args:
            **kwargs: `name`, `dtype` and other arguments of `keras.layers.GRUCell`.
        """
        if not self.built:
            raise ValueError(f"Build or call the cell before it is converted. Received: built={self.built}")
        cell = keras.layers.GRUCell(self.units, use_bias=bool(self.use_bias), reset_after=False, **kwargs)
        cell.build((None, self.kernel.shape[0]))
        recurrent = ops.concatenate([self.gates_kernel, self.candidate_kernel], axis=1)
        weights = [_turn(self.kernel, self.units), _turn(recurrent, self.units)]
        if self.use_bias:
            bias = ops.convert_to_tensor(self.bias)
            weights.append(_turn(ops.pad(bias, [[3 * self.units - bias.shape[0], 0]]), self.units))
        cell.set_weights([ops.convert_to_numpy(w) for w in weights])
        return cell

    @classmethod
    def from_keras(cls, cell: keras.layers.GRUCell, **kwargs: Any) -> Self:
        """Converts a `keras.layers.GRUCell` to a built `GatedRecurrentCell`.

        Args:
            cell: Built, with `reset_after=False`, sigmoid gates and a tanh candidate.
            **kwargs: `name`, `dtype` and the initializers.
        """
        functions = (cell.recurrent_activation, cell.activation)
        if cell.reset_after or functions != (keras.activations.sigmoid, keras.activations.tanh) or not cell.built:
            raise ValueError(
                "`cell` must be built, with `reset_after=False`, `recurrent_activation='sigmoid'` and "
                f"`activation='tanh'`. Received: built={cell.built}, reset_after={cell.reset_after}, "
                f"recurrent_activation={functions[0].__name__!r}, activation={functions[1].__name__!r}"
            )
        new = cls(cell.units, use_bias=cell.use_bias, **kwargs)
        new.build((None, cell.kernel.shape[0]))
        recurrent = _turn(cell.recurrent_kernel, cell.units)
        weights = [_turn(cell.kernel, cell.units), recurrent[:, : 2 * cell.units], recurrent[:, 2 * cell.units :]]
        if cell.use_bias:
            weights.append(_turn(cell.bias, cell.units))
        new.set_weights([ops.convert_to_numpy(w) for w in weights])
        return new

    def get_config(self):
        return {
            **super().get_config(),
            "units": self.units,
            "use_bias": self.use_bias,
            "kernel_initializer": keras.initializers.serialize(self.kernel_initializer),
            "recurrent_initializer": keras.initializers.serialize(self.recurrent_initializer),
            "bias_initializer": keras.initializers.serialize(self.bias_initializer),
        }


def _turn(weights, units):
    """Changes the sign of the weights of z, the first `units` columns."""
    weights = ops.convert_to_tensor(weights)
    return ops.concatenate([-weights[..., :units], weights[..., units:]], axis=-1)


class _Blocks:
    """Initializes [U, n U] as n matrices [U, U], each with its own seed."""

    def __init__(self, initializer):
        self.initializer = initializer
        self.drawn = 0

    def __call__(self, shape, dtype=None):
        return ops.concatenate([self._next(shape[0], dtype) for _ in range(shape[1] // shape[0])], axis=1)

    def _next(self, size, dtype):
        initializer = clone(self.initializer)
        config = initializer.get_config() if hasattr(initializer, "get_config") else {}
        if isinstance(config.get("seed"), int):
            initializer = type(initializer).from_config({**config, "seed": config["seed"] + self.drawn})
        self.drawn += 1
        return initializer((size, size), dtype=dtype)
