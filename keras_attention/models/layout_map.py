"""Layouts that split the weights of attention models over several devices (tensor parallelism)."""

import keras

from keras_attention.layers import ConditionalBatchNormalization, SelfAttention2D
from keras_attention.layers.bases.position_wise import PositionWise
from keras_attention.layers.bases.projections import ProjectsHeads
from keras_attention.layers.token_embedding import TokenEmbedding


def layout_map(
    model: keras.Layer, mesh: keras.distribution.DeviceMesh, axis: str = "model"
) -> keras.distribution.LayoutMap:
    """Layout of a model's weights for `keras.distribution.ModelParallel`: heads, hidden units and tables are split.

    As in "Megatron-LM", section 3 ([Shoeybi et al., 2019](https://arxiv.org/abs/1909.08053)). With n devices along the
    mesh's `axis`, N query heads, K key/value heads, F hidden units, each device has

        multi-head attention:  N / n heads: of query, gate, key and value [D, N, H], and of the output [N, V, D]
        feed-forward network:  F / n hidden units: columns of W_1 [D, F], elements of b_1, rows of W_2 [F, D]
        embeddings:            V / n rows of [V, D]; K / n rows of the [K, C] of `ConditionalBatchNormalization`
        SAGAN's attention:     V / n channels: columns of the value [C, V], rows of the output [V, C]

    so that a sub-layer of a Transformer needs one sum over devices (all-reduce) in the forward pass, and one in the
    backward pass. Layers are found by their class, in any model: Transformers for text and images, stacks of
    `TransformerEncoderBlock`, `SelfAttention2D`. All other weights are replicated, and so are embeddings, key/value
    heads and SAGAN's channels that n does not divide. Of the JAX backend: other backends ignore a distribution.

    A layout is found by a weight's path: the model that is trained must have the names of `model`. It is created inside
    of the distribution from the config of `model`, which may itself be without memory:

        with keras.StatelessScope(initialize_variables=False):
            plan = models.transformer(37000)
        layouts = models.layout_map(plan, mesh)
        with keras.distribution.ModelParallel(layout_map=layouts).scope():
            model = type(plan).from_config(plan.get_config())

    Args:
        model: Built model or layer.
        mesh: `keras.distribution.DeviceMesh`.
        axis: Name of the mesh's axis.

    Returns:
        `keras.distribution.LayoutMap` with an entry for each weight that is split.

    Raises:
        ValueError: If the mesh has no such axis, the model is not built, or n does not divide the heads of an attention
            layer or the hidden units of a feed-forward network.

    Example:

    >>> from keras_attention.layers import FeedForward
    >>> block = FeedForward(12, name="ffn")
    >>> block.build((None, 5, 8))
    >>> mesh = keras.distribution.DeviceMesh((1, 4), ["batch", "model"], ["cpu:0", "cpu:1", "cpu:2", "cpu:3"])
    >>> {path: layout.axes for path, layout in layout_map(block, mesh).items()}
    {'ffn/expand/kernel': (None, 'model'), 'ffn/expand/bias': ('model',), 'ffn/contract/kernel': ('model', None)}
    """
    if axis not in mesh.axis_names:
        raise ValueError(f"`axis` must be an axis of the mesh, one of {list(mesh.axis_names)}. Received: axis={axis!r}")
    if not model.built:
        raise ValueError(f"`model` must be built. Received: model={model!r}")
    count = mesh.shape[list(mesh.axis_names).index(axis)]
    splits = {v.path: (v, i) for x in model._flatten_layers() for v, i in _splits(x, count) if v is not None}
    layouts = keras.distribution.LayoutMap(mesh)
    for path, (variable, split) in splits.items():
        layouts[path] = tuple(axis if i == split else None for i in range(len(variable.shape)))
    return layouts


def _splits(layer, count):
    """Pairs of a weight of the layer itself (or `None`) and the axis to split."""
    if isinstance(layer, ProjectsHeads):
        return _of_heads(layer, count)
    if isinstance(layer, PositionWise):
        _require_divisible(layer, "intermediate_dim", count)
        ups = [getattr(layer, name) for name in ("gate", "expand") if hasattr(layer, name)]
        return [*(pair for up in ups for pair in ((up.kernel, 1), (up.bias, 0))), (layer.contract.kernel, 0)]
    if isinstance(layer, SelfAttention2D):
        value, out = (getattr(dense, "layer", dense) for dense in (layer.value, layer.out))
        pairs = [(value.kernel, 1), (out.kernel, 0)]
    elif isinstance(layer, TokenEmbedding | keras.layers.Embedding):
        pairs = [(layer.embeddings, 0)]
    elif isinstance(layer, ConditionalBatchNormalization):
        pairs = [(layer.gamma, 0), (layer.beta, 0)]
    else:
        return []
    return [(variable, split) for variable, split in pairs if variable.shape[split] % count == 0]


def _of_heads(layer, count):
    _require_divisible(layer, "num_heads", count)
    projections = [layer._query_dense, layer._gate_dense if layer.use_gate else None]
    if layer.num_key_value_heads % count == 0:
        projections += [layer._key_dense, layer._value_dense]
    into = [pair for dense in projections if dense is not None for pair in ((dense.kernel, 1), (dense.bias, 0))]
    return [*into, (layer._output_dense.kernel, 0)]


def _require_divisible(layer, name, count):
    size = getattr(layer, name)
    if size % count:
        raise ValueError(
            f"`{name}` of {layer.path} must be divisible by the {count} devices of the mesh's axis. "
            f"Received: {name}={size}"
        )
