"""Recurrent attention model (RAM): classifies images from a sequence of glimpses."""

import functools
from typing import Any, Unpack

import keras
from keras import ops

from keras_attention.layers import FirstLocation, GlimpseNetwork, LocationPolicy
from keras_attention.models.parts.arguments import checked, one_of, positive_number
from keras_attention.models.parts.dtypes import common_config
from keras_attention.ops.require import require_bool, require_int, require_number, require_seed
from keras_attention.ops.runtime.replicas import replicas
from keras_attention.types import DType, ModelOptions, Tensor

CORES = ("rnn", "lstm")
SIZES = ("num_classes", "num_glimpses", "size", "scales", "glimpse_units", "location_units", "units", "channels")
CHECKS = {
    **dict.fromkeys(SIZES, require_int),
    "factor": functools.partial(require_number, least=1),
    **dict.fromkeys(("soft", "detach"), require_bool),
    "std": positive_number,
    "core": one_of(CORES),
    "seed": require_seed,
}


@keras.saving.register_keras_serializable(package="keras_attention")
class RecurrentAttention(keras.Model):
    r"""Recurrent attention model (RAM): image classification from a learned sequence of glimpses.

    $$ h_t = f_h(h_{t-1}, f_g(x, l_{t-1})), \quad l_t \sim \mathcal{N}(f_l(h_t), \sigma^2 I), \quad
       p(a \mid h_T) = \mathrm{softmax}(f_a(h_T)) $$

    as in "Recurrent Models of Visual Attention" ([Mnih et al., 2014](https://arxiv.org/abs/1406.6247)). Written out,
    with B batch, T `num_glimpses`, U `units`:

        l_0: [B, 2] = uniform in [-1, 1] in training, the center in inference
        g_t: [B, U] = GlimpseNetwork(images, l_{t-1})
        h_t: [B, U] = ReLU(h_{t-1} W_h + b_h + g_t W_g + b_g), or an LSTM
        l_t, log p(l_t): LocationPolicy(h_t), for t < T
        b_t: [B]    = h_t w_b + b_b, the expected reward (baseline)
        logits: [B, num_classes] = h_T W_a + b_a

    In training locations are sampled; in inference they are the means, so that outputs are deterministic.
    `mean_probabilities` averages over sampled paths.

    Cost and number of parameters do not depend on the size of the images.

    `compile` with `training.HybridLoss` and classification metrics:

        model.compile("adam", training.HybridLoss(), metrics=["accuracy"])
        model.fit(images, labels)

    Differs from the paper: in inference the first glimpse is at the center, not at a random location. What the paper
    leaves open: the baseline is a linear function of the state; gradients of the baseline and of REINFORCE stop before
    the state (`detach`), which is stable, while passing them on finds better locations, but needs clipped gradients and
    possibly a smaller `reinforce_weight` (docs/examples/recurrent_attention_digits.md); no location is sampled from the
    last state. With `soft` glimpses, which are not in the paper, gradients pass through the locations to the policy,
    and without `detach` on to the state before; cross-entropy alone trains the model.

    In our runs on cluttered digits the model had fewer errors than the paper's convolutional network of as many
    parameters, and more than a modern one of the same cost: docs/examples/recurrent_attention_digits.md.

    Args:
        num_classes: Positive int.
        num_glimpses: Positive int T.
        size, scales, factor, soft: See `GlimpseSensor`.
        std: Positive float, standard deviation σ of sampled locations.
        core: `"rnn"`, or `"lstm"`, as in the paper's game.
        glimpse_units, location_units, units: Widths; see `GlimpseNetwork`.
        detach: Whether to stop the gradients of REINFORCE, the baseline and soft locations before the core and the
            glimpse network.
        channels: Positive int, channels of the images.
        seed: Int, seed of the sampled locations.
        **kwargs: `name`, `dtype` and the rest of `keras.Model`.

    Call arguments:
        inputs: Images [B, Y, X, channels]; dtypes other than float32 are cast as a whole, before the first glimpse.
        training: Whether to sample locations.

    Returns:
        Dict: "logits" [B, num_classes]; "locations" [B, T, 2], the glimpses' centers (row, column); "log_probs" and
        "baselines" [B, T - 1], of the locations chosen by the policy.

    Raises:
        ValueError: If an argument is out of its range.

    Example: the paper's network for MNIST.

    >>> import numpy as np
    >>> model = RecurrentAttention()
    >>> {name: tuple(x.shape) for name, x in model(np.zeros((2, 28, 28, 1), "float32")).items()}
    {'logits': (2, 10), 'locations': (2, 6, 2), 'log_probs': (2, 5), 'baselines': (2, 5)}
    >>> model.count_params()
    209677
    """

    def __init__(
        self,
        num_classes: int = 10,
        num_glimpses: int = 6,
        size: int = 8,
        scales: int = 1,
        factor: float = 2.0,
        soft: bool = False,
        std: float = 0.1,
        core: str = "rnn",
        glimpse_units: int = 128,
        location_units: int = 128,
        units: int = 256,
        detach: bool = True,
        channels: int = 1,
        seed: int | None = None,
        *,
        dtype: DType | None = None,
        **kwargs: Unpack[ModelOptions],
    ) -> None:
        arguments = checked(RecurrentAttention, locals(), CHECKS)
        parts = _RecurrentAttentionParts(arguments, dtype)
        images = keras.Input((None, None, channels), name="images")
        super().__init__(images, parts.look(images), **kwargs)
        if dtype is not None:
            self.dtype_policy = keras.dtype_policies.get(dtype)
        # Only after `super().__init__`: on PyTorch a model takes no layers before.
        self.parts, self._arguments = parts, arguments
        for name, value in arguments.items():
            setattr(self, name, value)

    def compute_loss(self, x=None, y=None, y_pred=None, sample_weight=None, training=True):
        """One loss on the dict of all outputs; Keras would compute one per output."""
        if not isinstance(self.loss, keras.losses.Loss):
            raise ValueError(
                "`compile` needs a `keras.losses.Loss` of all outputs together, such as `training.HybridLoss()`. "
                f"Received: loss={self.loss!r}"
            )
        return self.loss(y, y_pred, sample_weight=sample_weight) + sum(self.losses) / replicas()

    def compute_metrics(self, x, y, y_pred, sample_weight=None):
        """Metrics on the class logits."""
        return super().compute_metrics(x, y, y_pred["logits"], sample_weight)

    def get_metrics_result(self):
        """Metrics without the prefix of an output's name, which old versions of Keras add."""
        results = super().get_metrics_result()
        prefixes = tuple(f"{name}_" for name in self.output_names)
        own = {name: next((name[len(p) :] for p in prefixes if name.startswith(p)), name) for name in results}
        return {own[name]: value for name, value in results.items()}

    def mean_probabilities(self, images: Tensor, draws: int) -> Tensor:
        """Class probabilities averaged over `draws` sampled glimpse paths (Monte Carlo estimate).

        Args:
            images: [B, Y, X, channels].
            draws: Positive int, number of paths.

        Returns:
            Mean probabilities [B, num_classes]; every path samples its own locations, the first included.

        Raises:
            ValueError: If `draws` is not a positive int.
        """
        require_int(draws, "draws")
        return sum(ops.softmax(self(images, training=True)["logits"]) for _ in range(draws)) / draws

    def save_own_variables(self, store):
        """Saves the RNG state, so that an interrupted training run resumes exactly."""
        for i, state in enumerate(self.parts.rng_state()):
            store[str(i)] = ops.convert_to_numpy(state)

    def load_own_variables(self, store):
        for i, state in enumerate(self.parts.rng_state()):
            state.assign(store[str(i)])

    def get_config(self):
        return {**common_config(self), **self._arguments}


def recurrent_attention(**kwargs: Any) -> RecurrentAttention:
    """Recurrent attention model (RAM) of any size; default: the paper's for MNIST, 209,677 parameters.

    Images [B, Y, X, channels] to a dict of logits [B, num_classes], locations [B, T, 2] and more, as in "Recurrent
    Models of Visual Attention" ([Mnih et al., 2014](https://arxiv.org/abs/1406.6247)); our own short runs:
    docs/examples/recurrent_attention_digits.md. The paper's other models: `size=12, scales=3` for 60 x 60 pixels,
    256,781 parameters; `size=12, scales=4` for 100 x 100, 275,213.

    Args:
        **kwargs: The arguments of `RecurrentAttention`.

    Returns:
        `RecurrentAttention`.

    Raises:
        ValueError: If an argument is out of its range.
    """
    return RecurrentAttention(**kwargs)


class _RecurrentAttentionParts:
    """The layers of `RecurrentAttention` and their wiring. A plain class, not a layer.

    Args:
        arguments: Dict of the arguments of `RecurrentAttention`.
        dtype: Dtype policy of all layers.
    """

    def __init__(self, arguments, dtype):
        given, self.dtype = arguments, dtype
        self.num_glimpses, self.detach = given["num_glimpses"], given["detach"]
        seed = given["seed"]
        self.first = FirstLocation(seed, name="first_location", dtype=dtype)
        widths = {name: given[name] for name in ("size", "scales", "factor", "soft", "glimpse_units", "location_units")}
        self.glimpse = GlimpseNetwork(**widths, units=given["units"], name="glimpse_network", dtype=dtype)
        self.policy = LocationPolicy(
            given["std"],
            given["detach"],
            differentiable=given["soft"],
            seed=None if seed is None else seed + 1,
            name="location_policy",
            dtype=dtype,
        )
        self.core = (_Rnn if given["core"] == "rnn" else _Lstm)(given["units"], dtype)
        self.baseline = keras.layers.Dense(1, name="baseline", dtype=dtype)
        self.action = keras.layers.Dense(given["num_classes"], name="action", dtype=dtype)

    def rng_state(self):
        """State variables of the seed generators."""
        return [layer.seed_generator.state for layer in (self.first, self.policy)]

    def look(self, images):
        location, state, hidden = self.first(images), None, None
        locations, log_probs, baselines = [], [], []
        for glimpse in range(self.num_glimpses):
            locations.append(location)
            hidden, state = self.core(self.glimpse(images, location), state)
            if glimpse < self.num_glimpses - 1:
                location, log_prob = self.policy(hidden)
                log_probs.append(log_prob)
                baselines.append(self.baseline(ops.stop_gradient(hidden) if self.detach else hidden)[:, 0])
        return {
            "logits": self.action(hidden),
            "locations": ops.stack(locations, axis=1),
            "log_probs": _stack(log_probs, hidden),
            "baselines": _stack(baselines, hidden),
        }


def _stack(parts, like):
    """Tensors [B] -> [B, number]; [B, 0] for an empty list."""
    return ops.stack(parts, axis=1) if parts else ops.cast(like[:, :0], "float32")


class _Rnn:
    def __init__(self, units, dtype):
        self.recurrent = keras.layers.Dense(units, name="core_recurrent", dtype=dtype)
        self.input = keras.layers.Dense(units, name="core_input", dtype=dtype)

    def __call__(self, x, state):
        before = self.recurrent(ops.zeros_like(x) if state is None else state)
        hidden = ops.relu(before + self.input(x))
        return hidden, hidden


class _Lstm:
    def __init__(self, units, dtype):
        self.cell = keras.layers.LSTMCell(units, name="core", dtype=dtype)

    def __call__(self, x, state):
        hidden, state = self.cell(x, [ops.zeros_like(x)] * 2 if state is None else state)
        return hidden, state
