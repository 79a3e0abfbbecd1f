"""Trains models on one device of JAX and over eight: `python -m tests.models.sharded`.

Prints what `test_layout_map.py` compares, as JSON. A process of its own, as JAX counts its devices once.
"""

import contextlib
import json
import re

import keras
import numpy as np
from keras import distribution

from keras_attention import layers, models, training

rng = np.random.default_rng(0)
TOKENS = rng.integers(1, 12, (8, 6))
TOKENS[5, 3:] = 0
SENTENCES, IMAGES = {"source": TOKENS, "target": TOKENS}, rng.standard_normal((8, 9, 16)).astype("float32")
LABELLED = {
    "image": rng.uniform(-1, 1, (8, 16, 16, 3)).astype("float32"),
    "noise": rng.standard_normal((8, 5)).astype("float32"),
    "label": rng.integers(0, 4, 8),
}


class GivenNoise(training.NoiseToImage):
    def batch(self, x, y):
        return dict(x)

    def generator_inputs(self, batch, seed):
        return {name: batch[name] for name in ("noise", "label")}


def transformer():
    return models.transformer(12, num_layers=1, model_dim=16, num_heads=4, intermediate_dim=20, dropout=0.0)


def encoder():
    """A stack of blocks as in ViT."""
    inputs = x = keras.Input((9, 16))
    for number in range(2):
        x = layers.TransformerEncoderBlock(4, 20, dropout=0.0, use_bias=True, norm_first=True, name=f"block{number}")(x)
    return keras.Model(inputs, keras.layers.Dense(12, name="logits")(x[:, 0]))


def sagan():
    return models.sagan(image_size=16, num_classes=4, channels=8, attention_at=8, noise_dim=5)


def fit(plans, scopes, steps=3):
    """The model of these networks after a few steps, and its losses."""
    networks = []
    for plan, scope in zip(plans, scopes, strict=True):
        with scope:
            keras.utils.set_random_seed(len(networks))
            networks.append(type(plan).from_config(plan.get_config()))
    noise = np.random.default_rng(1)
    for weight in (w for network in networks for w in network.trainable_variables):
        weight.assign(weight + 0.1 * noise.standard_normal(weight.shape))
    with scopes[-1]:
        if len(networks) == 2:
            model = training.AdversarialModel(*networks, GivenNoise(5, num_classes=4), average_decay=0.9)
            model.compile(keras.optimizers.SGD(1e-2), keras.optimizers.SGD(1e-2))
            data = (LABELLED,)
        else:
            [model] = networks
            model.compile(keras.optimizers.SGD(0.1, 0.9), training.LabelSmoothedCrossEntropy())
            data = (SENTENCES, TOKENS) if isinstance(model, models.Transformer) else (IMAGES, TOKENS[:, 0])
        return model, model.fit(*data, batch_size=8, epochs=steps, shuffle=False, verbose=0).history


def compared(plans, scopes, one):
    model, history = fit(plans, scopes)
    weights = [np.abs(np.asarray(a) - np.asarray(b)).max() for a, b in zip(one[0].weights, model.weights, strict=True)]
    losses = [np.abs(np.subtract(values, one[1][key])).max() for key, values in history.items()]
    split = {v.path: spec_of(v) for v in model.trainable_variables if any(spec_of(v))}
    return model, {"weights": float(max(weights)), "losses": float(max(losses)), "split": split}


def spec_of(variable):
    return list(variable.value.sharding.spec)


def collectives(block, x):
    """Numbers of collectives in a block's forward pass and in its gradient, batch and weights sharded."""
    import jax

    state = [v.value for v in block.non_trainable_variables]
    weights = [v.value for v in block.trainable_variables]

    def forward(weights, x):
        return block.stateless_call(weights, state, x)[0]

    def loss(weights, x):
        return (forward(weights, x) ** 2).sum()

    out = ([w.sharding for w in weights], x.sharding)
    programs = jax.jit(forward), jax.jit(jax.grad(loss, argnums=(0, 1)), out_shardings=out)
    texts = [program.lower(weights, x).compile().as_text() for program in programs]
    kinds = r"(all-reduce|all-gather|all-to-all|collective-permute|reduce-scatter)(?:-start)?\("
    return [{kind: found.count(kind) for kind in set(found)} for found in (re.findall(kinds, t) for t in texts)]


def main():
    import jax

    devices = distribution.list_devices()
    mesh = distribution.DeviceMesh((2, 4), ["batch", "model"], devices)
    found = {}
    for make in (transformer, encoder, sagan):
        plans = make() if make is sagan else [make()]
        one = fit(plans, [contextlib.nullcontext()] * len(plans))
        strategies = {"layouts": [distribution.ModelParallel(layout_map=models.layout_map(p, mesh)) for p in plans]}
        if make is transformer:
            strategies |= {f"data {n}": [distribution.DataParallel(devices=devices[:n])] for n in (2, 8)}
        for name, chosen in strategies.items():
            model, found[f"{make.__name__}, {name}"] = compared(plans, [Scope(d) for d in chosen], one)
            if (make, name) == (encoder, "layouts"):
                block = model.get_layer("block1")
                split = jax.sharding.PartitionSpec("batch")
                sharding = jax.sharding.NamedSharding(block.weights[0].value.sharding.mesh, split)
                found["collectives"] = collectives(block, jax.device_put(IMAGES, sharding))
    print(json.dumps(found))


class Scope:
    """The scope of a distribution, which may be entered several times."""

    def __init__(self, chosen):
        self.chosen = chosen

    def __enter__(self):
        self.scope = self.chosen.scope()
        return self.scope.__enter__()

    def __exit__(self, *error):
        return self.scope.__exit__(*error)


if __name__ == "__main__":
    main()
