"""What the config of every model has: name, trainability and dtype policies."""

import re

import keras


def common_config(model):
    """Config keys that all models have; "dtype" holds the policies of quantized layers too, as a `DTypePolicyMap`."""
    policy = model.dtype_policy
    layers = [layer for layer in model._flatten_layers(include_self=False) if layer.quantization_mode]
    # Keys are patterns, which older Keras takes for every path that begins with them.
    quantized = {f"^{re.escape(layer.path)}$": layer.dtype_policy for layer in layers}
    if quantized:
        policy = keras.dtype_policies.DTypePolicyMap(default_policy=policy, policy_map=quantized)
    return {"name": model.name, "trainable": model.trainable, "dtype": keras.dtype_policies.serialize(policy)}
