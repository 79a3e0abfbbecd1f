"""What pictures of scores are given: the layers of a model, one sample of each, without padding."""

import numpy as np


def require_layers(scores, query_mask=None, key_mask=None):
    """Returns short names of the layers, and their scores [N, T, S] without padding."""
    if not isinstance(scores, dict):
        scores = {f"layer {number}": layer for number, layer in enumerate(scores)}
    layers = [np.asarray(layer, "float32") for layer in scores.values()]
    layers = [layer[0] if layer.ndim == 4 and len(layer) == 1 else layer for layer in layers]
    shapes = {name: np.shape(layer) for name, layer in scores.items()}
    if not layers or any(layer.ndim != 3 or 0 in layer.shape for layer in layers):
        raise ValueError(
            "`scores` must be those of one sample: a dict or list of layers, each [N, T, S] or [1, N, T, S], such as "
            f"`{{path: s[0] for path, s in attention_scores(model, inputs).items()}}`. Received: shapes {shapes}"
        )
    kept_rows = [kept(query_mask, layer.shape[1], "query_mask") for layer in layers]
    kept_columns = [kept(key_mask, layer.shape[2], "key_mask") for layer in layers]
    layers = [layer[:, t][:, :, s] for layer, t, s in zip(layers, kept_rows, kept_columns)]
    return short_names(list(scores)), layers


def kept(mask, length, name):
    """Indices of the positions that take part."""
    mask = np.ones(length, bool) if mask is None else np.asarray(mask)
    if mask.shape != (length,) or mask.dtype.kind not in "biu" or not mask.any():
        raise ValueError(
            f"`{name}` must be boolean or integer, of shape ({length},), with a position that takes part. "
            f"Received: {name}={mask!r}"
        )
    return np.flatnonzero(mask)


def short_names(paths):
    """Paths without the parts that all of them share."""
    parts = [path.split("/") for path in paths]
    if len({len(part) for part in parts}) > 1:
        return paths
    differ = [len(set(column)) > 1 for column in zip(*parts)]
    return ["/".join(p for p, keep in zip(part, differ) if keep) or path for part, path in zip(parts, paths)]
