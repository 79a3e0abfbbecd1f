"""Recurrent Models of Visual Attention: a network that looks at an image through a few glimpses."""

import functools

import keras
from keras import ops

from keras_attention.layers import FirstLocation, GlimpseNetwork, LocationPolicy
from keras_attention.models.parts.arguments import checked, one_of, positive_number
from keras_attention.models.parts.dtypes import serialize_dtype
from keras_attention.ops.require import require_bool, require_int, require_number, require_seed

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
    r"""Looks at an image through a sequence of glimpses, chooses where to look next, and names its class.

    $$ h_t = f_h(h_{t-1}, f_g(x, l_{t-1})), \quad l_t \sim \mathcal{N}(f_l(h_t), \sigma^2 I), \quad
       p(a \mid h_T) = \mathrm{softmax}(f_a(h_T)) $$

    as in "Recurrent Models of Visual Attention" ([Mnih et al., 2014](https://arxiv.org/abs/1406.6247)). Written out,
    with B batch, T `num_glimpses`, U `units`:

        l_0: [B, 2] = uniform between -1 and 1 in training, the middle in inference
        g_t: [B, U] = GlimpseNetwork(images, l_{t-1})
        h_t: [B, U] = ReLU(h_{t-1} W_h + b_h + g_t W_g + b_g), or an LSTM
        l_t, log p(l_t): LocationPolicy(h_t), for t < T
        b_t: [B]    = h_t w_b + b_b, what reward to expect
        logits: [B, num_classes] = h_T W_a + b_a

    In training places are drawn; in inference the means are taken, and the answer is always the same. To average over
    drawn places, there is `mean_probabilities`.

    The cost and the number of weights do not depend on the size of the images.

    `compile` it with `training.HybridLoss`, and metrics of the classes:

        model.compile("adam", training.HybridLoss(), metrics=["accuracy"])
        model.fit(images, labels)

    Differs from the paper: in inference the first glimpse is in the middle, not anywhere. What it leaves open: the
    baseline is a linear function of the state; like the policy it learns without reaching the state (`detach`), which
    is stable, while reaching it too finds better places, but wants clipped gradients and may want a smaller
    `reinforce_weight` (docs/examples/recurrent_attention_digits.md); of the last state no place is drawn, as nobody
    looks there. With `soft` glimpses, which it does not have, gradients pass
    through the places, and cross-entropy alone trains it.

    Args:
        num_classes: Positive int.
        num_glimpses: Positive int T.
        size, scales, factor, soft: See `GlimpseSensor`.
        std: Positive float, σ.
        core: `"rnn"`, or `"lstm"`, as for the paper's game.
        glimpse_units, location_units, units: Widths; see `GlimpseNetwork`.
        detach: Whether REINFORCE and the baseline leave the core and the glimpse network alone.
        channels: Positive int, of the images.
        seed: Int, of the places that are drawn.
        **kwargs: `name`, `dtype` and the rest of `keras.Model`.

    Call arguments:
        inputs: Images [B, Y, X, channels]; what is not float32 is cast as a whole.
        training: Whether places are drawn.

    Returns:
        Dict: "logits" [B, num_classes]; "locations" [B, T, 2], where it looked, (row, column); "log_probs" and
        "baselines" [B, T - 1], of the places that it chose.

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
        num_classes=10,
        num_glimpses=6,
        size=8,
        scales=1,
        factor=2.0,
        soft=False,
        std=0.1,
        core="rnn",
        glimpse_units=128,
        location_units=128,
        units=256,
        detach=True,
        channels=1,
        seed=None,
        *,
        dtype=None,
        **kwargs,
    ):
        arguments = checked(RecurrentAttention, locals(), CHECKS)
        parts = _Parts(arguments, dtype)
        images = keras.Input((None, None, channels), name="images")
        super().__init__(images, parts.look(images), **kwargs)
        if dtype is not None:
            self.dtype_policy = keras.dtype_policies.get(dtype)
        # Only now: on PyTorch a model takes no layers before it is initialised.
        self.parts, self._arguments = parts, arguments
        for name, value in arguments.items():
            setattr(self, name, value)

    def compute_loss(self, x=None, y=None, y_pred=None, sample_weight=None, training=True):
        """The loss of all outputs together: they are one answer."""
        if not isinstance(self.loss, keras.losses.Loss):
            raise ValueError(
                "`compile` needs a `keras.losses.Loss` of all outputs together, such as `training.HybridLoss()`. "
                f"Received: loss={self.loss!r}"
            )
        return self.loss(y, y_pred, sample_weight=sample_weight) + sum(self.losses)

    def compute_metrics(self, x, y, y_pred, sample_weight=None):
        """The metrics of the classes."""
        return super().compute_metrics(x, y, y_pred["logits"], sample_weight)

    def get_metrics_result(self):
        """The metrics by their own names: old versions of Keras put the name of an output before them."""
        results = super().get_metrics_result()
        prefixes = tuple(f"{name}_" for name in self.output_names)
        own = {name: next((name[len(p) :] for p in prefixes if name.startswith(p)), name) for name in results}
        return {own[name]: value for name, value in results.items()}

    def mean_probabilities(self, images, draws):
        """What is expected of the class over all that the policy may do: the mean over `draws` paths.

        Args:
            images: [B, Y, X, channels].
            draws: Positive int.

        Returns:
            [B, num_classes]: the mean of the probabilities, of each path's own first place and others.

        Raises:
            ValueError: If `draws` is not a positive int.
        """
        require_int(draws, "draws")
        return sum(ops.softmax(self(images, training=True)["logits"]) for _ in range(draws)) / draws

    def save_own_variables(self, store):
        """The state of all chance, so that an interrupted training goes on as if it had not been."""
        for i, state in enumerate(self.parts.chance()):
            store[str(i)] = ops.convert_to_numpy(state)

    def load_own_variables(self, store):
        for i, state in enumerate(self.parts.chance()):
            state.assign(store[str(i)])

    def get_config(self):
        common = {"name": self.name, "trainable": self.trainable, "dtype": serialize_dtype(self)}
        return {**common, **self._arguments}


def recurrent_attention(**kwargs):
    """A `RecurrentAttention` of any size; by default the paper's for MNIST, 209,677 weights.

    The paper's others: `size=12, scales=3` for 60 x 60 pixels, 256,781 weights; `size=12, scales=4` for 100 x 100,
    275,213.

    Args:
        **kwargs: The arguments of `RecurrentAttention`.
    """
    return RecurrentAttention(**kwargs)


class _Parts:
    """Wires layers; is none itself.

    Args:
        arguments: Those of `RecurrentAttention`, by name.
        dtype: The dtype policy of all layers.
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

    def chance(self):
        """The variables that what is drawn next depends on."""
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
    """[B] each -> [B, number]; [B, 0] of none."""
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
