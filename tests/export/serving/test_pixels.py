import keras
import numpy as np
import pytest
import tensorflow as tf

from keras_attention.export.serving.pixels import decode_images, to_bytes

SIZE = (12, 20)
SIDES = [(31, 17), (12, 20), (9, 64)]


def files():
    """Smooth images of several sides, so that a wrong crop or axis shows; the last as JPEG."""
    images = []
    for i, (y, x) in enumerate(SIDES):
        rows, columns = np.mgrid[0:y, 0:x]
        image = np.stack([rows * 255 / y, columns * 255 / x, 40 * i + 0 * rows], -1).astype("uint8")
        images.append(tf.io.encode_png(image) if i < 2 else tf.io.encode_jpeg(image, quality=95))
    return images


@pytest.mark.parametrize("crop", [False, True])
@pytest.mark.parametrize("interpolation", ["bilinear", "nearest"])
def test_images_are_those_of_kerass_loader(tmp_path, crop, interpolation):
    for i, file in enumerate(files()):
        path = tmp_path / "all" / f"{i}.{'png' if i < 2 else 'jpg'}"
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(file.numpy())
    options = {"image_size": SIZE, "interpolation": interpolation, "crop_to_aspect_ratio": crop}
    loaded = keras.utils.image_dataset_from_directory(
        tmp_path, labels=None, shuffle=False, batch_size=3, verbose=False, **options
    )
    decode = tf.function(
        lambda files: decode_images(files, SIZE, 3, interpolation, crop),
        input_signature=[tf.TensorSpec([None], tf.string)],
    )
    np.testing.assert_allclose(decode(tf.stack(files())), next(iter(loaded)), atol=1e-3)
    assert decode(tf.zeros((0,), tf.string)).shape == (0, *SIZE, 3)


def test_a_broken_file_is_an_error():
    with pytest.raises(tf.errors.InvalidArgumentError, match="(?i)unknown image file format|unable to decode"):
        decode_images(tf.constant([b"no image"]), SIZE, 3)


def test_bytes_are_the_nearest_of_256_values():
    values = np.array([-1.2, -1, -0.9961, 0.0, 0.5, 1, 3], "float32")
    expected = np.round(np.clip((values + 1) * 127.5, 0, 255)).astype("uint8")
    np.testing.assert_array_equal(to_bytes(values), expected)
    np.testing.assert_array_equal(to_bytes(np.arange(256) / 127.5 - 1), np.arange(256))
