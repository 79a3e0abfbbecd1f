"""What the config of every model has: name, trainability and dtype policies."""

import keras


def common_config(model):
    """Config keys that all models have; "dtype" holds the policies of quantized layers too, as a `DTypePolicyMap`."""
    policy = model.dtype_policy
    quantized = {x.path: x.dtype_policy for x in model._flatten_layers() if x is not model and x.quantization_mode}
    if quantized:
        policy = keras.dtype_policies.DTypePolicyMap(default_policy=policy, policy_map=quantized)
    return {"name": model.name, "trainable": model.trainable, "dtype": keras.dtype_policies.serialize(policy)}
