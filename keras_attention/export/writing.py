"""Writing a SavedModel."""

import errno


def write_saved_model(holder, folder, signatures):
    """Writes the files of a SavedModel.

    Args:
        holder: `tf.Module` that holds the variables and tables.
        folder: Path.
        signatures: Concrete function, or a dict of them by name.

    Raises:
        OSError: The files cannot be written, on a full disk, say. TensorFlow raises an error of an operation then.
    """
    import tensorflow as tf

    # Without the functions of custom gradients: a served model is not trained.
    options = tf.saved_model.SaveOptions(experimental_custom_gradients=False)
    try:
        tf.saved_model.save(holder, str(folder), signatures=signatures, options=options)
    except tf.errors.OpError as error:
        raise OSError(errno.EIO, f"The export cannot be written ({error.message})", str(folder)) from error
