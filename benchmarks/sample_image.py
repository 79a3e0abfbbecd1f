"""Time per pixel of sampling from the Image Transformer against image size, on a CPU.

    python benchmarks/sample_image.py [--repeat 5] [--cores 0,1] [--only "32 x 32"]

Gray images, batches of 4, a network of 3 blocks of width 64 with blocks and memory of 64 positions; TensorFlow in a
graph. `cached` is `decoding.sample_image`, which has a key/value cache. `again` runs the whole network once for each
pixel, on small images only. Each candidate runs in its own process on the same pinned cores. Needs Linux.
"""

import functools

import pictures
import side_by_side
import tables

BATCH = 4
SIDES = (16, 32, 64, 128)
CANDIDATES = ("cached", "again")
LARGEST = 32  # side without a cache
ROWS = [((f"{side} x {side}", str(side**2)), {"side": side}, CANDIDATES[: 1 + (side <= LARGEST)]) for side in SIDES]
COLUMNS = ("image", "pixels", "candidate", *tables.SECONDS, "ms per pixel")
REPEAT = 5


def step_of(candidate, side):
    """A callable that generates one batch of images, built but not yet run."""
    import keras
    import tensorflow as tf

    from keras_attention import decoding, models

    keras.utils.set_random_seed(0)
    sizes = {"num_layers": 3, "model_dim": 64, "num_heads": 2, "intermediate_dim": 128}
    model = models.image_transformer(channels=1, query_block=64, memory_block=64, **sizes)
    sample = decoding.sample_image if candidate == "cached" else sample_again
    run = tf.function(functools.partial(sample, model, (side, side), BATCH))
    return lambda: run().numpy()


def sample_again(model, size, batch_size):
    """Samples images without a cache: the whole network runs once for each pixel."""
    import keras
    import tensorflow as tf

    pixels = size[0] * size[1]

    def advance(index, values):
        logits = tf.reshape(model(tf.reshape(values, (batch_size, *size, 1))), (batch_size, pixels, 256))
        pixel = keras.random.categorical(logits[:, index], 1, dtype="int32")
        return index + 1, tf.tensor_scatter_nd_update(values, [[i, index] for i in range(batch_size)], pixel[:, 0])

    start = (tf.constant(0), tf.zeros((batch_size, pixels), tf.int32))
    return tf.while_loop(lambda index, values: index < pixels, advance, start)[1]


def show(results, side):
    for (times, _), usual in zip(results.values(), tables.seconds(results)):
        yield *usual, f"{1e3 * tables.median(times) / side**2:.1f}"


def draw(found):
    points = pictures.points(found, lambda _, options: ("", options["side"] ** 2))
    each = [(panel, name, pixels, time / pixels, growth) for panel, name, pixels, time, growth in points]
    return pictures.curves(each, "pixels of an image", "time per pixel, ms")


if __name__ == "__main__":
    side_by_side.main(__file__)
