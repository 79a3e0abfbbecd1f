"""Trains a Transformer in one of several processes: `python -m tests.training.workers INDEX PORT,...`.

Prints losses and weights as JSON, and an error of `fit` under `MultiWorkerMirroredStrategy`.
"""

import json
import os
import sys

import keras
import numpy as np

from keras_attention import models, training

TOKENS = np.random.default_rng(0).integers(1, 11, (8, 6)).astype("int32")
TOKENS[np.arange(6) >= np.array([6, 6, 5, 6, 1, 2, 1, 1])[:, None]] = 0  # unequal padding of the workers
STEPS = 3


def transformer():
    keras.utils.set_random_seed(0)
    model = models.transformer(11, num_layers=1, model_dim=8, num_heads=2, intermediate_dim=12, dropout=0.0)
    model.compile(keras.optimizers.SGD(0.1, 0.9), training.LabelSmoothedCrossEntropy())
    model.optimizer.build(model.trainable_variables)
    return model


def fit(model, tokens):
    inputs = {"source": tokens, "target": tokens}
    return model.fit(inputs, tokens, batch_size=len(tokens), epochs=STEPS, shuffle=False, verbose=0).history["loss"]


def with_tensorflow(index, ports):
    """Losses and model of a training loop, and the error of `fit`."""
    import tensorflow as tf

    if len(ports) > 1:
        task = {"cluster": {"worker": [f"localhost:{port}" for port in ports]}}
        os.environ["TF_CONFIG"] = json.dumps({**task, "task": {"type": "worker", "index": index}})
    strategy = tf.distribute.MultiWorkerMirroredStrategy()
    with strategy.scope():
        model = transformer()

    @tf.function
    def step(tokens):
        def replica(tokens):
            with tf.GradientTape() as tape:
                # Losses of Keras are divided by the number of replicas.
                loss = model.loss(tokens, model({"source": tokens, "target": tokens}, training=True))
            variables = model.trainable_variables
            model.optimizer.apply(tape.gradient(loss, [v.value for v in variables]), variables)
            return loss

        return strategy.reduce("sum", strategy.run(replica, (tokens,)), axis=None)

    options = tf.data.Options()
    options.experimental_distribute.auto_shard_policy = tf.data.experimental.AutoShardPolicy.DATA
    data = tf.data.Dataset.from_tensor_slices(TOKENS).batch(8).repeat(STEPS).with_options(options)
    losses = [float(step(tokens)) for tokens in strategy.experimental_distribute_dataset(data)]
    weights = [np.ravel(w).tolist() for w in model.weights]
    try:
        fit(model, TOKENS)
    except ValueError as error:
        return losses, weights, str(error)
    return losses, weights, None


def with_jax(index, ports):
    """Losses and weights of `fit`; each process has its part of a batch."""
    count = len(ports)
    if count > 1:
        keras.distribution.initialize(f"localhost:{ports[0]}", num_processes=count, process_id=index)
    with keras.distribution.DataParallel(auto_shard_dataset=False).scope():
        model = transformer()
        losses = fit(model, TOKENS[index * 8 // count : (index + 1) * 8 // count])
    return losses, [np.ravel(w).tolist() for w in model.weights], None


if __name__ == "__main__":
    kind = {"tensorflow": with_tensorflow, "jax": with_jax}[keras.backend.backend()]
    losses, weights, error = kind(int(sys.argv[1]), sys.argv[2].split(","))
    print(json.dumps({"losses": losses, "weights": weights, "error": error}))
