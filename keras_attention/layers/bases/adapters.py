"""Quantization and LoRA of sublayers, kept in saved files."""

import json
from typing import Any

import keras
import numpy as np

# Key of a weights file under which the changes to sublayers are stored.
_RECORD = "adapted"
# What `quantize` and `enable_lora` add to the config of a projection.
_KEYS = ("dtype", "lora_rank", "lora_alpha", "quantization_config")


class KeepsAdapters:
    """Mixin that saves quantization and LoRA of sublayers. Name it before the Keras base class.

    `quantize` and `enable_lora` change sublayers after they were built, which the config of their owner does not
    record. This mixin records it in the build config, which `.keras` files hold beside the config, and repeats it on
    loading, before the weights are read.

    Inside a user's layer, for which Keras saves no build configs of sublayers, the record is stored with the weights.
    """

    def get_build_config(self):
        config = super().get_build_config()
        adapted = _describe(self) if self.built else {}
        return {**(config or {}), _RECORD: adapted} if adapted else config

    def build_from_config(self, config):
        super().build_from_config({k: v for k, v in (config or {}).items() if k != _RECORD})
        _restore(self, (config or {}).get(_RECORD, {}))

    def save_own_variables(self, store):
        super().save_own_variables(store)
        adapted = _describe(self) if self.built else {}
        if adapted:
            store[_RECORD] = np.frombuffer(json.dumps(adapted).encode(), "uint8")

    def load_own_variables(self, store):
        keys = list(store.keys())
        if _RECORD in keys:
            _restore(self, json.loads(np.asarray(store[_RECORD]).astype("uint8").tobytes()))
            store = {key: store[key] for key in keys if key != _RECORD}
        super().load_own_variables(store)


class AdaptsProjections:
    """Mixin that quantizes the dense sublayers listed by `_projections()`, or adds LoRA to them."""

    def quantize(self, mode=None, **kwargs):
        """Quantizes every projection, as `keras.Model.quantize` does."""
        self._require_built("quantize")
        for dense in self._projections():
            dense.quantize(mode, **kwargs)

    def enable_lora(self, rank: int, **kwargs: Any) -> None:
        """Adds LoRA to every projection and freezes the kernels."""
        self._require_built("enable_lora")
        for dense in self._projections():
            dense.enable_lora(rank, **kwargs)


def _sublayers(layer):
    return list(layer._flatten_layers(include_self=False))


def _describe(layer):
    """{index of the sublayer in order of creation: its changes}, as plain JSON."""
    adapted = {}
    for index, sublayer in enumerate(_sublayers(layer)):
        # Of nested sublayers only the leaves are recorded.
        if sublayer.quantization_mode is None and not getattr(sublayer, "lora_rank", None):
            continue
        config = sublayer.get_config()
        record = {key: config[key] for key in _KEYS if config.get(key) is not None}
        adapted[str(index)] = {**record, "mode": sublayer.quantization_mode, "name": sublayer.name}
    return adapted


def _restore(layer, adapted):
    sublayers = _sublayers(layer) if adapted else []
    for index, record in adapted.items():
        sublayer = sublayers[int(index)]
        if record["mode"] is not None and sublayer.quantization_mode is None:
            config = record.get("quantization_config")
            config = {"config": keras.saving.deserialize_keras_object(config)} if config else {}
            sublayer.quantize(record["mode"], **config)
        if record.get("lora_rank") and not sublayer.lora_enabled:
            alpha = {"lora_alpha": record["lora_alpha"]} if "lora_alpha" in record else {}
            sublayer.enable_lora(record["lora_rank"], **alpha)
