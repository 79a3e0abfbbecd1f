"""int8 and LoRA survive `.keras`: a layer remembers what was done to its projections after they were built."""

import json

import keras
import numpy as np

# Where a file of weights says what was done to the sublayers of a layer.
_RECORD = "adapted"
# What `quantize` and `enable_lora` leave in the config of a projection.
_KEYS = ("dtype", "lora_rank", "lora_alpha", "quantization_config")


class KeepsAdapters:
    """Mixin for a layer or model that makes its own sublayers. Name it before the Keras base class.

    `quantize` and `enable_lora` change sublayers after they were built, and the config of the
    owner does not know. This mixin writes it into the build config that `.keras` files hold
    beside the config, and does it again on loading, before the weights are read.

    Inside of a user's own layer, whose build config Keras does not ask the sublayers for, it stands beside the weights.
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
    """Mixin for a layer whose `_projections()` are dense sublayers that can be quantised or get low-rank adapters."""

    def quantize(self, mode=None, **kwargs):
        """Quantises every projection, as `keras.Model.quantize` does."""
        self._require_built("quantize")
        for dense in self._projections():
            dense.quantize(mode, **kwargs)

    def enable_lora(self, rank, **kwargs):
        """Adds low-rank adapters to every projection and freezes their kernels."""
        self._require_built("enable_lora")
        for dense in self._projections():
            dense.enable_lora(rank, **kwargs)


def _sublayers(layer):
    return list(layer._flatten_layers(include_self=False))


def _describe(layer):
    """{index in the order of creation: what was done}, as plain JSON."""
    adapted = {}
    for index, sublayer in enumerate(_sublayers(layer)):
        # Sublayers with a layer inside say so themselves, by their leaves.
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
