"""Serialization of a model's dtype policies."""

import keras


def serialize_dtype(model):
    """The serialized dtype policy of a model, with those of quantized layers as a `DTypePolicyMap`."""
    policy = model.dtype_policy
    quantized = {x.path: x.dtype_policy for x in model._flatten_layers() if x is not model and x.quantization_mode}
    if quantized:
        policy = keras.dtype_policies.DTypePolicyMap(default_policy=policy, policy_map=quantized)
    return keras.dtype_policies.serialize(policy)
