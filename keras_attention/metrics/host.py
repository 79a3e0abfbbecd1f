"""Base classes of metrics computed in NumPy: a feature extractor, and sums in float64 outside the backend."""

import inspect
from typing import Any, Self

import keras
import numpy as np

from keras_attention.metrics.inception_v3 import in_batches, inception_v3
from keras_attention.types import Tensor

DEFAULT = "inception_v3"


class HostMetric(keras.metrics.Metric):
    """Base class of metrics computed by NumPy on the host, in float64, outside compiled steps.

    Backends add in float32, which is not precise enough for a million samples or a covariance of 2048 features.
    """

    def __init__(self, name):
        super().__init__(name=name, dtype="float64")

    def get_config(self) -> dict[str, Any]:
        return {"name": self.name}

    def _refuse_weights(self, sample_weight):
        """Keras passes `None`; weights are not supported for distances of samples."""
        if sample_weight is not None:
            raise ValueError(f"{type(self).__name__} counts each sample once: `sample_weight` must be `None`.")


class FeatureMetric(HostMetric):
    """Base class of metrics of the features of images.

    Args:
        extractor: A Keras model, or a function of a NumPy array of images, that returns [B, D]; `"inception_v3"`;
            `None` if the inputs are features already.
        name: Name of the metric.
    """

    output = "features"  # of the default extractor

    def __init__(self, extractor, name):
        if not (extractor is None or extractor == DEFAULT or callable(extractor)):
            raise ValueError(
                f"`extractor` must be a model or a function of images, {DEFAULT!r} or `None`. "
                f"Received: extractor={extractor!r}"
            )
        super().__init__(name=name)
        self.extractor = extractor
        self._network = self._width = None

    def extract(self, images: Tensor, name: str) -> np.ndarray:
        """Features of `images`, as a NumPy array [B, D] of finite float32 or float64."""
        if self.extractor == DEFAULT and self._network is None:
            self._network = inception_v3(self.output)
        network = self._network or self.extractor
        images = to_host(images, name, as_floats=network is None)
        if not len(images):
            return np.zeros((0, 1), "float32")
        if network is None:
            features = images
        else:
            features = in_batches(network, images) if isinstance(network, keras.Model) else network(images)
            features = to_host(features, f"extractor({name})")
        if features.ndim != 2 or not features.shape[1]:
            raise ValueError(
                f"`{name}` must be [B, D] with `extractor=None`, as must be what another extractor returns. "
                f"Received: shape={features.shape}"
            )
        if not np.isfinite(features).all():
            raise ValueError(f"`{name}` must give finite features. Received: NaN or infinity")
        self._width = self._width or features.shape[1]
        if features.shape[1] != self._width:
            raise ValueError(f"`{name}` must give {self._width} features, as before. Received: {features.shape[1]}")
        return features

    def reset_state(self):
        self._width = None

    def get_config(self) -> dict[str, Any]:
        extractor = self.extractor
        if inspect.isfunction(extractor) and keras.saving.get_registered_name(extractor) != extractor.__name__:
            extractor = keras.saving.serialize_keras_object(extractor)
        elif not (extractor is None or extractor == DEFAULT):
            raise ValueError(
                f"`extractor` must be `None`, {DEFAULT!r} or a function registered with Keras, for a config: the "
                f"weights of a model would be lost. Received: extractor={extractor!r}"
            )
        return {**super().get_config(), "extractor": extractor}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Self:
        config = dict(config)
        if isinstance(config["extractor"], dict):
            config["extractor"] = keras.saving.deserialize_keras_object(config["extractor"])
        return cls(**config)


def to_host(x, name, as_floats=True):
    """`x` as a NumPy array; of float32 or float64, unless `as_floats` is false.

    Raises:
        ValueError: In a compiled step, where values are not available.
    """
    if not isinstance(x, np.ndarray):
        try:
            x = np.asarray(keras.ops.convert_to_numpy(x))
        except (AttributeError, NotImplementedError, TypeError) as error:
            raise ValueError(
                f"`{name}` must be an array. This metric is computed on the host: call it in a loop over the data or "
                "in a callback, not in a compiled step, such as those of `compile(metrics=...)`. "
                f"Received: {type(x).__name__}"
            ) from error
    return x.astype("float32") if as_floats and x.dtype not in (np.float32, np.float64) else x
