"""Weights of SelectionGAN in the format of tests/reference/selection_gan.py, and random values for them."""

import numpy as np

from tests.layers.helpers import numpy


def noisy(model, seed=0):
    """Random values for all weights; gammas near 1, variances positive, kernels scaled to keep activations."""
    rng = np.random.default_rng(seed)
    for w in model.weights:
        if w.path.endswith("seed_generator_state"):
            continue
        noise = rng.standard_normal(w.shape)
        if "variance" in w.path:
            noise = 0.5 + noise**2
        elif w.path.endswith("kernel"):
            noise /= np.sqrt(np.prod(w.shape) / max(w.shape[-2:]))
        else:
            noise = 0.3 * noise + w.path.endswith("gamma")
        w.assign(noise)
    return model


def of_conv(layer):
    """(kernel, bias or None)"""
    return numpy(layer.kernel).astype("float64"), numpy(layer.bias).astype("float64") if layer.use_bias else None


def of_norm(layer):
    parts = (layer.gamma, layer.beta, layer.moving_mean, layer.moving_variance)
    return tuple(numpy(part).astype("float64") for part in parts)


def of_u_net(model, name):
    """(downs, ups)"""
    layers = {layer.name: layer for layer in model.layers}
    count = model.num_downs
    down_norms = [layers.get(f"{name}_down{k}_norm") for k in range(1, count + 1)]
    downs = [(of_conv(layers[f"{name}_down{k}"])[0], norm and of_norm(norm)) for k, norm in enumerate(down_norms, 1)]
    ups = [(of_conv(layers[f"{name}_up{k}"])[0], of_norm(layers[f"{name}_up{k}_norm"])) for k in range(count, 1, -1)]
    return downs, [*ups, of_conv(layers[f"{name}_up1"])]


def of_second_stage(model):
    """(enlarge, merge, heads)"""
    selection = model.get_layer("selection")
    dense = [(numpy(layer.kernel), numpy(layer.bias)) for layer in (selection.score, selection.doubt)]
    heads = of_conv(selection.paint), *dense
    return of_conv(model.get_layer("selection_enlarge")), of_conv(model.get_layer("selection_merge")), heads


def of_discriminator(model):
    """[(kernel, bias or None, norm or None)]"""
    layers = {layer.name: layer for layer in model.layers}
    count = model.num_layers + 1
    names = [*(f"conv{k}" for k in range(1, count + 1)), "logits"]
    norms = [layers.get(name.replace("conv", "norm")) for name in names[:-1]]
    return [(*of_conv(layers[name]), norm and of_norm(norm)) for name, norm in zip(names, [*norms, None], strict=True)]
