"""int8 and LoRA survive `.keras`: a layer remembers what was done to its projections after they were built."""

import keras

# What `quantize` and `enable_lora` leave in the config of a projection.
_KEYS = ("dtype", "lora_rank", "lora_alpha", "quantization_config")


class KeepsAdapters:
    """Mixin for a layer or model that makes its own sublayers. Name it before the Keras base class.

    `quantize` and `enable_lora` change sublayers after they were built, and the config of the
    owner does not know. This mixin writes it into the build config that `.keras` files hold
    beside the config, and does it again on loading, before the weights are read.
    """

    def get_build_config(self):
        config = super().get_build_config()
        adapted = _describe(self) if self.built else {}
        return {**(config or {}), "adapted": adapted} if adapted else config

    def build_from_config(self, config):
        super().build_from_config({k: v for k, v in (config or {}).items() if k != "adapted"})
        _restore(self, (config or {}).get("adapted", {}))


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
