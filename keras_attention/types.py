"""Types that annotations name.

Checkers see Keras, which has no annotations for them, as `Any`; the aliases say what is meant.
"""

import os
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypeAlias, TypedDict

import keras
from numpy.typing import ArrayLike

if TYPE_CHECKING:
    from matplotlib.figure import Figure
else:  # matplotlib is an extra, and slow to import
    Figure = Any

# A tensor of the backend, a `keras.KerasTensor`, or what Keras converts to one: arrays, lists of numbers. Keras has no
# public type of them that is the same on all backends.
Tensor: TypeAlias = Any
# Tensors in any structure of dicts, lists and tuples.
Nest: TypeAlias = Any
# A tensor; `(tensor, scores)` if scores are asked for. A union would need a check at every use.
MaybeScores: TypeAlias = Any

# A name, a config or the thing itself: what `get` of `keras.initializers`, `regularizers`, ... takes.
Initializer: TypeAlias = str | dict[str, Any] | Callable[..., Tensor]
Regularizer: TypeAlias = str | dict[str, Any] | Callable[[Tensor], Tensor]
Constraint: TypeAlias = str | dict[str, Any] | Callable[[Tensor], Tensor]
Activation: TypeAlias = str | Callable[[Tensor], Tensor]
Optimizer: TypeAlias = str | dict[str, Any] | keras.optimizers.Optimizer
DType: TypeAlias = str | keras.DTypePolicy

PathLike: TypeAlias = str | os.PathLike[str]
# Arrays by the names of weights.
Weights: TypeAlias = Mapping[str, ArrayLike]
# Scores by the paths of layers, as `visualize.attention_scores` returns them, or of layers in their order.
LayerScores: TypeAlias = dict[str, Any] | Sequence[ArrayLike]
# From images [B, Y, X, C] to features or probabilities; a name, or `None` for none.
Extractor: TypeAlias = str | Callable[[Any], Any] | None
# `(tokens, cache, index) -> (logits, cache)`, see `decoding.greedy`.
Step: TypeAlias = Callable[[Tensor, Nest, Tensor], tuple[Tensor, Nest]]
# Name -> (function, specs of its inputs), see `export.export_saved_model`.
Signatures: TypeAlias = dict[str, tuple[Callable[..., Any], Any]]


class ModelOptions(TypedDict, total=False):
    """The keyword arguments of `keras.Model` that a model of this library passes on."""

    name: str | None
    trainable: bool


class PlainLayerOptions(ModelOptions, total=False):
    """The keyword arguments of `keras.Layer`, of a layer with an argument `activity_regularizer` of its own."""

    dtype: DType | None
    autocast: bool


class LayerOptions(PlainLayerOptions, total=False):
    """The keyword arguments of `keras.Layer`."""

    activity_regularizer: Regularizer | None
