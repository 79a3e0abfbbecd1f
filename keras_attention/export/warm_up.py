"""Warm-up requests, which TensorFlow Serving runs when it loads a version, before it serves it.

assets.extra/tf_serving_warmup_requests: TFRecords of `PredictionLog`
"""

import numpy as np

from keras_attention.extras import install, installed

PLACE = ("assets.extra", "tf_serving_warmup_requests")
MOST = 1000  # the server refuses a version with more


def warm_up_requests(warm_up):
    """The argument `warm_up` of `export_saved_model` as a list of (signature name, inputs).

    Raises:
        ValueError: If it is malformed.
        ImportError: If there are requests, but not the package that writes them.
    """
    if warm_up is None:
        return []
    requests = []
    for name, inputs in warm_up.items() if isinstance(warm_up, dict) else [(None, None)]:
        requests += [(name, request) for request in (inputs if isinstance(inputs, list | tuple) else [inputs])]
    if not all(isinstance(name, str) and isinstance(request, dict) for name, request in requests):
        raise ValueError(
            "`warm_up` must be a dict from signature name to inputs, a dict from name to array, or a list of them. "
            f"Received: warm_up={warm_up!r}"
        )
    if len(requests) > MOST:
        raise ValueError(f"`warm_up` must have at most {MOST} requests. Received: {len(requests)}")
    if requests and not installed("tensorflow_serving"):
        raise ImportError(f"`warm_up` needs tensorflow-serving-api: {install('serving')}")
    return requests


def write_warm_up(folder, requests):
    """Runs the requests on the SavedModel in `folder`, and stores them beside it.

    Raises:
        ValueError: If a signature is missing, or cannot run on its inputs.
    """
    if not requests:
        return
    import tensorflow as tf
    from tensorflow_serving.apis import prediction_log_pb2

    signatures, records = tf.saved_model.load(str(folder)).signatures, []
    for name, inputs in requests:
        tensors = _run(signatures, name, inputs)
        log = prediction_log_pb2.PredictionLog()
        request = log.predict_log.request
        request.model_spec.signature_name = name
        for key, value in tensors.items():
            request.inputs[key].CopyFrom(tf.make_tensor_proto(value.numpy(), value.dtype, value.shape))
        records.append(log.SerializeToString(deterministic=True))
    path = folder.joinpath(*PLACE)
    path.parent.mkdir()
    with tf.io.TFRecordWriter(str(path)) as file:
        for record in records:
            file.write(record)


def _run(signatures, name, inputs):
    """The inputs as tensors, on which the signature has run."""
    import tensorflow as tf

    if name not in signatures:
        raise ValueError(f"`warm_up` names an unknown signature: {name!r}. The signatures are {sorted(signatures)}.")
    specs = signatures[name].structured_input_signature[1]
    if set(inputs) != set(specs):
        raise ValueError(
            f"`warm_up[{name!r}]` must hold an array for each of {sorted(specs)}. Received: {sorted(inputs)}"
        )
    try:
        tensors = {key: tf.constant(np.asarray(inputs[key]), spec.dtype) for key, spec in specs.items()}
        for key, spec in specs.items():
            spec.shape.assert_is_compatible_with(tensors[key].shape)
        signatures[name](**tensors)
    except Exception as error:
        raise ValueError(f"The signature {name!r} cannot run on its inputs in `warm_up`: {error}") from error
    return tensors
