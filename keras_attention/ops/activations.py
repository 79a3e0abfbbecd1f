"""Activations that Keras has no name for."""

import keras


@keras.saving.register_keras_serializable(package="keras_attention")
def gelu_tanh(x):
    r"""GELU by its approximation with tanh, as GPT-2 and BERT's first code compute it.

    $$ \frac{x}{2} \left(1 + \tanh\left(\sqrt{2 / \pi} \, (x + 0.044715 x^3)\right)\right) $$

    ([Hendrycks & Gimpel, 2016](https://arxiv.org/abs/1606.08415), section 2.) `"gelu"` of Keras is the exact one.

    Args:
        x: Floating tensor.

    Returns:
        Tensor shaped like `x`.

    Example:

    >>> round(float(gelu_tanh(keras.ops.convert_to_tensor(1.0))), 4)
    0.8412
    """
    return keras.activations.gelu(x, approximate=True)
