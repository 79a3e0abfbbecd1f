"""The formulas of layers by their class, and the cost of a call by them."""

from collections.abc import Callable

import keras

from keras_attention.analyze.cost import Cost

_FORMULAS = {}

# Operations of functional models that are not layers and multiply matrices.
_PRODUCTS = ("Matmul", "Einsum", "Dot", "Tensordot", "Vdot", "Inner", "Outer", "Conv", "DotProductAttention")


def register(*classes: type[keras.Layer]) -> Callable[[Callable[..., Cost]], Callable[..., Cost]]:
    """Decorator: registers a formula of the cost of layers of these classes, and of their subclasses without one.

        formula(call) -> Cost of the whole call, with that of the layers inside of it

    A layer without a formula costs what the layers inside of it cost. One is needed where `call` itself multiplies
    matrices, or has weights of its own.

    Args:
        *classes: Subclasses of `keras.Layer`.

    Returns:
        A decorator that returns the formula unchanged.

    Raises:
        ValueError: If a class is not a subclass of `keras.Layer`.

    Example:

    >>> import keras
    >>> class Bilinear(keras.Layer):
    ...     def build(self, shape):
    ...         self.kernel = self.add_weight(shape=(shape[-1], shape[-1]))
    ...
    ...     def call(self, inputs):
    ...         return keras.ops.einsum("bti,ij,btj->bt", inputs, self.kernel, inputs)
    >>> @register(Bilinear)
    ... def bilinear(call):
    ...     B, T, D = call.shape("inputs")
    ...     return Cost(multiply_adds=B * T * (D * D + D), sequential_steps=1, activation_bytes=call.output_bytes)
    >>> from keras_attention.analyze import complexity
    >>> complexity(Bilinear(), (1, 5, 3)).multiply_adds
    60
    """
    for cls in classes:
        if not (isinstance(cls, type) and issubclass(cls, keras.Layer)):
            raise ValueError(f"`classes` must be subclasses of `keras.Layer`. Received: {cls!r}")

    def add(formula):
        _FORMULAS.update(dict.fromkeys(classes, formula))
        return formula

    return add


def cost_of(call):
    """The cost of a call: by the formula of its layer, or that of the calls inside of it."""
    formula = next((_FORMULAS[cls] for cls in type(call.layer).__mro__ if cls in _FORMULAS), None)
    if formula is not None:
        return formula(call)
    _require_known(call)
    return inside(call)


def inside(call):
    """The sum of the costs of the calls inside of a call."""
    return sum((cost_of(inner) for inner in call.inner), Cost())


def _require_known(call):
    """Raises for a layer that computes something of which no formula tells."""
    layer = call.layer
    own = [w.path for w in vars(layer).values() if isinstance(w, keras.Variable)]
    operations = (type(x).__name__ for x in getattr(layer, "operations", ()) if not isinstance(x, keras.Layer))
    products = [name for name in operations if name in _PRODUCTS]
    if call.inner and not own and not products:
        return
    why = f"weights {own}" if own else f"operations {products}" if products else "no layers inside of it"
    raise ValueError(
        f"No formula tells what `{layer.name}` ({type(layer).__name__}) costs, which has {why}. "
        "Add one with `analyze.register`."
    )
