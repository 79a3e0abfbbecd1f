"""The dtype policies of a model, for its config."""

import keras


def serialize_dtype(model):
    """The policy of a model, and of those of its layers that quantising gave one of their own."""
    policy = model.dtype_policy
    quantized = {x.path: x.dtype_policy for x in model._flatten_layers() if x is not model and x.quantization_mode}
    if quantized:
        policy = keras.dtype_policies.DTypePolicyMap(default_policy=policy, policy_map=quantized)
    return keras.dtype_policies.serialize(policy)
