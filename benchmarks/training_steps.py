"""Time and memory of training steps of whole models beside the same networks without this library, on a CPU.

    python benchmarks/training_steps.py [--repeat 7] [--cores 0,1] [--only RNNsearch]

Candidates: `ours`, from `keras_attention.models`; `plain`, written out in layers and operations of Keras; for the
Transformer `keras_hub`, and `torch` with `torch.nn.Transformer` (from `plain_models.py` and `torch_models.py`). A step
is forward, backward and the update by Adam, of GANs of both networks; ours of GANs are `training.AdversarialModel`'s.
TensorFlow in a graph, PyTorch eager, float32. Each candidate runs in its own process on the same pinned cores; they
alternate, one run each. Memory is the peak of the process during the first run minus what it held with its weights.
Needs Linux, and keras_hub and torch for their rows.
"""

import side_by_side
import tables

VOCABULARY = 8000
RNN_SIZES = {"embedding_dim": 256, "units": 512, "attention_units": 512, "maxout_units": 256}
PEERS, PLAIN = ("ours", "keras_hub", "torch"), ("ours", "plain")
ROWS = [
    (("Transformer base", "32 x 64"), {"model": "transformer", "batch": 32, "size": 64}, PEERS),
    (("Transformer base", "4 x 512"), {"model": "transformer", "batch": 4, "size": 512}, PEERS),
    (("RNNsearch", "16 x 24"), {"model": "rnn_search", "batch": 16, "size": 24}, PLAIN),
    (("SAGAN", "8 x 64 x 64"), {"model": "sagan", "batch": 8, "size": 64}, PLAIN),
    (("SelectionGAN", "2 x 64 x 64"), {"model": "selection_gan", "batch": 2, "size": 64}, PLAIN),
    (("ResNet-50, SE", "4 x 112 x 112"), {"model": "se", "batch": 4, "size": 112}, PLAIN),
    (("ResNet-50, CBAM", "4 x 112 x 112"), {"model": "cbam", "batch": 4, "size": 112}, PLAIN),
]
COLUMNS = ("model", "batch", "candidate", *tables.SECONDS, "median of ours / theirs")
REPEAT = 7
NEEDS = {"keras_hub": "keras_hub", "torch": "torch"}


def step_of(candidate, model, batch, size):
    """A callable that runs one step, built but not yet run."""
    steps = {"transformer": sequences, "rnn_search": sequences, "sagan": sagan, "selection_gan": selection_gan}
    if candidate == "torch":
        return torch_step(batch, size)
    return steps.get(model, resnet)(candidate, model, batch, size)


def tokens(batch, length):
    """Source and target ids; the sources end in padding."""
    import numpy as np

    source, target = np.random.default_rng(0).integers(1, VOCABULARY, (2, batch, length)).astype("int32")
    source[np.arange(length) >= length - np.arange(batch)[:, None] % (length // 4)] = 0
    return source, target


def sequences(candidate, model, batch, length):
    import plain_models

    from keras_attention import models

    if model == "rnn_search":
        ours, theirs = models.rnn_search, plain_models.rnn_search
        sizes = (VOCABULARY, VOCABULARY) if candidate == "ours" else (VOCABULARY, length)
        network = (ours if candidate == "ours" else theirs)(*sizes, **RNN_SIZES)
    else:
        ours, theirs = models.transformer_base, plain_models.keras_hub_transformer
        network = (ours if candidate == "ours" else theirs)(VOCABULARY)
    source, target = tokens(batch, length)
    return supervised(network, {"source": source, "target": target}, target)


def resnet(candidate, attention, batch, size):
    import numpy as np
    import plain_models

    from keras_attention import models

    if candidate == "ours":
        network = models.attention_resnet(50, attention)
    else:
        network = plain_models.resnet50({"se": plain_models.squeeze_excitation, "cbam": plain_models.cbam}[attention])
    return supervised(network, pictures(batch, size), np.arange(batch))


def supervised(network, inputs, labels):
    """A step of Adam on the cross-entropy of the logits of `network`."""
    import keras
    import tensorflow as tf

    optimizer = keras.optimizers.Adam(1e-4)
    optimizer.build(network.trainable_variables)
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    inputs, labels = keras.tree.map_structure(tf.constant, (inputs, labels))

    @tf.function
    def step(inputs, labels):
        with tf.GradientTape() as tape:
            value = loss(labels, network(inputs, training=True))
        optimizer.apply(tape.gradient(value, network.trainable_variables), network.trainable_variables)
        return value

    return lambda: step(inputs, labels).numpy()


def torch_step(batch, length):
    import torch
    import torch_models

    model = torch_models.transformer(VOCABULARY)
    optimizer = torch.optim.Adam(model.parameters(), 1e-4)
    source, target = (torch.tensor(ids, dtype=torch.long) for ids in tokens(batch, length))

    def step():
        optimizer.zero_grad()
        logits = model(source, target)
        torch.nn.functional.cross_entropy(logits.flatten(0, 1), target.flatten()).backward()
        optimizer.step()

    return step


def pictures(batch, size):
    import numpy as np

    return np.random.default_rng(0).uniform(-1, 1, (batch, size, size, 3)).astype("float32")


def sagan(candidate, _, batch, size, classes=10, width=16, attention_at=32, noise_dim=128):
    import keras
    import numpy as np
    import plain_models
    from keras import ops

    from keras_attention import models, training

    data = {"image": pictures(batch, size), "label": (np.arange(batch) % classes).astype("int32")}
    if candidate == "ours":
        networks = models.sagan(size, classes, width, attention_at)
        return adversarial(*networks, training.NoiseToImage(noise_dim, classes), data)
    generator = plain_models.sagan_generator(size, classes, width, attention_at)
    discriminator = plain_models.sagan_discriminator(size, classes, width, attention_at)

    def discriminate(batch, inputs, generated):
        images = ops.concatenate([batch["image"], generated])
        labels = ops.concatenate([batch["label"], inputs["label"]])
        real, fake = ops.split(discriminator({"image": images, "label": labels}, training=True)["logits"], 2)
        return ops.mean(ops.relu(1.0 - real)) + ops.mean(ops.relu(1.0 + fake))

    def generate(batch, inputs, generated):
        return -ops.mean(discriminator({"image": generated, "label": inputs["label"]}, training=False)["logits"])

    def inputs_of(data):
        label = keras.random.randint((batch,), 0, classes)
        return {"noise": keras.random.normal((batch, noise_dim)), "label": label}

    return written_out(generator, discriminator, inputs_of, discriminate, generate, data)


def selection_gan(candidate, _, batch, size, width=32):
    import plain_models
    from keras import ops

    from keras_attention import models, training

    data = {name: pictures(batch, size) for name in ("source", "semantics", "image")}
    if candidate == "ours":
        networks = models.selection_gan(size, width=width, discriminator_width=width)
        return adversarial(*networks, training.SelectionGANObjective(), data)
    generator = plain_models.selection_gan_generator(size, width)
    discriminator = plain_models.patch_discriminator(size, width)
    pixel = {"first_image": 100.0, "image": 200.0, "first_semantics": 1.0, "semantics": 2.0}

    def logits(image, batch):
        return discriminator({"image": image, "source": batch["source"]}, training=True)["logits"]

    def discriminate(batch, _, generated):
        real = ops.mean(ops.softplus(-logits(batch["image"], batch)))
        first, second = (ops.mean(ops.softplus(logits(generated[k], batch))) for k in ("first_image", "image"))
        return (first + 4 * second + 5 * real) / 2

    def generate(batch, _, generated):
        U, total = ops.maximum(generated["uncertainty"], 1e-6), 0.0
        for name, weight in pixel.items():
            error = ops.abs(batch["semantics" if "semantics" in name else "image"] - generated[name])
            total += weight * (ops.mean(error / U) + ops.mean(ops.log(U)) + ops.mean(error))
        for name, weight in (("first_image", 1), ("image", 4)):
            total += weight * ops.mean(ops.softplus(-logits(generated[name], batch)))
        x = generated["image"]
        return total + 1e-6 * (ops.sum(ops.abs(x[:, 1:] - x[:, :-1])) + ops.sum(ops.abs(x[:, :, 1:] - x[:, :, :-1])))

    def inputs_of(data):
        return {name: data[name] for name in ("source", "semantics")}

    return written_out(generator, discriminator, inputs_of, discriminate, generate, data)


def optimizers():
    import keras

    return keras.optimizers.Adam(1e-4, beta_1=0.0), keras.optimizers.Adam(4e-4, beta_1=0.0)


def adversarial(generator, discriminator, objective, data):
    """A step of `training.AdversarialModel`."""
    import keras
    import tensorflow as tf

    from keras_attention import training

    model = training.AdversarialModel(generator, discriminator, objective)
    model.compile(*optimizers())
    model.optimizer.build(model.trainable_variables)
    step, data = tf.function(model.train_step), keras.tree.map_structure(tf.constant, data)
    return lambda: keras.tree.map_structure(lambda x: x.numpy(), step((data,)))


def written_out(generator, discriminator, inputs_of, discriminate, generate, data):
    """A step on two losses: the discriminator's, then the generator's with the updated discriminator."""
    import keras
    import tensorflow as tf

    pair = optimizers()
    for optimizer, network in zip(pair, (generator, discriminator)):
        optimizer.build(network.trainable_variables)
    data = keras.tree.map_structure(tf.constant, data)

    @tf.function
    def step(data):
        inputs = inputs_of(data)
        with tf.GradientTape() as generator_tape:
            generated = generator(inputs, training=True)
            with tf.GradientTape() as tape:
                fixed = keras.tree.map_structure(tf.stop_gradient, generated)
                discriminator_loss = discriminate(data, inputs, fixed)
            variables = discriminator.trainable_variables
            pair[1].apply(tape.gradient(discriminator_loss, variables), variables)
            generator_loss = generate(data, inputs, generated)
        variables = generator.trainable_variables
        pair[0].apply(generator_tape.gradient(generator_loss, variables), variables)
        return discriminator_loss, generator_loss

    return lambda: [x.numpy() for x in step(data)]


def show(results, **_):
    for candidate, usual in zip(results, tables.seconds(results)):
        yield *usual, tables.ratio(results, "ours", candidate)


if __name__ == "__main__":
    side_by_side.main(__file__)
