"""Callback that writes what attention does to TensorBoard."""

import io
import pathlib
from typing import Any

import keras
import numpy as np

from keras_attention.extras import install
from keras_attention.ops.require import require_int
from keras_attention.types import Nest, PathLike
from keras_attention.visualize import attention_scores, head_entropy, plot_heads
from keras_attention.visualize.style import matplotlib


class AttentionLogger(keras.callbacks.Callback):
    """Writes the entropy of every head and a picture of all heads to TensorBoard, while a model trains.

    Before the first epoch and after each (`every`), for the same inputs:

        attention_entropy/<path of the layer>/head_<n>: mean entropy of its attention in nats (`visualize.head_entropy`)
        attention: the scores of the first input in all heads of all layers (`visualize.plot_heads`)

    A head whose entropy falls to 0 attends to one position, one at `log(S)` to all S alike. The forward passes for it
    are eager and in inference mode; the training step is not changed.

    Args:
        log_dir: Folder of the event files, such as that of `keras.callbacks.TensorBoard`.
        inputs: A few inputs of the model, as it is called: an array, or a list, tuple or dict of arrays.
        every: Positive int, the interval in epochs.

    Raises:
        ImportError: If TensorBoard, TensorFlow, which writes its files, or matplotlib is missing.
        ValueError: If `every` is out of range; when training begins, if the model has no attention layer, or one whose
            scores are not [B, N, T, S] or [B, T, S].

    Example:

    >>> import tempfile
    >>> x = keras.Input((5, 8))
    >>> y = keras.layers.Dense(1)(keras.layers.MultiHeadAttention(2, 4, name="look")(x, x))
    >>> model, folder = keras.Model(x, y), tempfile.mkdtemp()
    >>> model.compile("sgd", "mse")
    >>> logger = AttentionLogger(folder, np.ones((1, 5, 8), "float32"))
    >>> _ = model.fit(np.ones((4, 5, 8)), np.ones((4, 5, 1)), verbose=0, callbacks=[logger])
    >>> len(list(pathlib.Path(folder).iterdir()))
    1
    """

    def __init__(self, log_dir: PathLike, inputs: Nest, every: int = 1) -> None:
        super().__init__()
        _require_packages()
        self.log_dir = pathlib.Path(log_dir)
        self.inputs = inputs
        self.every = require_int(every, "every")
        self._writer = None

    def on_epoch_begin(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        if self._writer is None:
            self._write(epoch)

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        if (epoch + 1) % self.every == 0:
            self._write(epoch + 1)

    def on_train_end(self, logs: dict[str, Any] | None = None) -> None:
        if self._writer is not None:
            self._writer.close()
            self._writer = None

    def _write(self, epoch):
        """Writes what the model attends to after this number of epochs."""
        import tensorflow as tf

        scores = {path: _by_head(x, path) for path, x in attention_scores(self.model, self.inputs).items()}
        first = {path: np.nan_to_num(x[:1]) for path, x in scores.items()}
        picture = _png(plot_heads(first, title=f"after {epoch} epochs"))
        if self._writer is None:
            self._writer = tf.summary.create_file_writer(str(self.log_dir))
        with self._writer.as_default(step=epoch):
            for path, x in scores.items():
                for head, entropy in enumerate(_entropies(x)):
                    tf.summary.scalar(f"attention_entropy/{path}/head_{head}", entropy)
            tf.summary.image("attention", tf.expand_dims(tf.image.decode_png(picture, channels=3), 0))
        self._writer.flush()


def _require_packages():
    try:
        import tensorboard  # noqa: F401 - without it, TensorFlow fails as late as when it writes
        import tensorflow  # noqa: F401
    except ImportError as error:
        raise ImportError(f"`AttentionLogger` writes for TensorBoard: {install('tensorboard')}. {error}") from error
    matplotlib("figure")


def _by_head(scores, path):
    """Scores as [B, N, T, S]."""
    if scores.ndim not in (3, 4):
        raise ValueError(f"The scores of `{path}` must be [B, N, T, S] or [B, T, S]. Received: shape {scores.shape}")
    return scores if scores.ndim == 4 else np.expand_dims(scores, 1)


def _entropies(scores):
    """Of each head, over the batch; NaN where training has diverged, which is not for this callback to stop."""
    if not np.isfinite(scores).all():
        return np.full(scores.shape[1], np.nan)
    return np.nanmean(head_entropy(scores), axis=0)


def _png(figure):
    file = io.BytesIO()
    figure.savefig(file, format="png", dpi=100)
    return file.getvalue()
