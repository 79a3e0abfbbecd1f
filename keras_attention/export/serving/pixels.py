"""Encoded images of clients -> arrays, and images in [-1, 1] -> bytes."""

from keras import ops

INTERPOLATIONS = ("nearest", "bilinear", "bicubic", "lanczos3", "lanczos5")


def decode_images(files, size, channels, interpolation="bilinear", crop_to_aspect_ratio=False):
    """JPEG, PNG, GIF or BMP files, strings [B], of any sizes -> images [B, *size, channels], float32 from 0 to 255.

    They are resized as by `keras.utils.image_dataset_from_directory`.
    """
    import tensorflow as tf

    def one(file):
        image = tf.io.decode_image(file, channels, expand_animations=False)
        image.set_shape((None, None, channels))
        image = _crop(image, size) if crop_to_aspect_ratio else image
        return tf.cast(tf.image.resize(image, size, interpolation), "float32")

    return tf.map_fn(one, files, fn_output_signature=tf.TensorSpec((*size, channels), "float32"))


def _crop(image, size):
    """The middle of an image [y, x, C], as large as it can be in the aspect ratio of `size`."""
    import tensorflow as tf

    (y, x), (rows, columns) = tf.unstack(tf.shape(image)[:2]), size
    height, width = tf.minimum(y, x * rows // columns), tf.minimum(x, y * columns // rows)
    return tf.image.crop_to_bounding_box(image, (y - height) // 2, (x - width) // 2, height, width)


def to_bytes(images):
    """Images in [-1, 1] -> uint8 from 0 to 255."""
    return ops.cast(ops.round(ops.clip((ops.cast(images, "float32") + 1.0) * 127.5, 0.0, 255.0)), "uint8")
