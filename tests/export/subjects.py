"""What is exported to other runtimes: the layers of the conformance suite and all factories, with unknown sizes."""

from collections.abc import Callable
from dataclasses import dataclass, field

import keras
import numpy as np

from keras_attention import models
from keras_attention.export.names import output_names
from keras_attention.export.signatures import name_outputs
from tests.export.models import noisy
from tests.layers.cases import CASES
from tests.variants import variants


@dataclass(frozen=True)
class Subject:
    """A model with unknown sizes, and the sizes of the inputs of a test."""

    name: str
    make: Callable  # of no arguments
    sizes: dict  # shape of each input, the batch included
    below: dict = field(default_factory=dict)  # of inputs that are integers
    noise: float = 0.3  # standard deviation of the weights
    multiple: int = 1  # sizes that the model does not know are multiples of it

    def __str__(self):
        return self.name

    def model(self):
        return noisy(self.make(), scale=self.noise)

    def data(self, model, more=0):
        """Random inputs by name; each size that the model does not know is that of the subject and `more` multiples."""
        rng = np.random.default_rng(0)
        data = {}
        for x in keras.tree.flatten(model.input):
            name, below = x.name, self.below.get(x.name)
            shape = tuple(
                n + more * self.multiple * (known is None) for n, known in zip(self.sizes[name], x.shape, strict=True)
            )
            data[name] = rng.integers(0, below, shape).astype("int32") if below else rng.normal(size=shape)
        return {name: x if name in self.below else x.astype("float32") for name, x in data.items()}

    def specs(self, model):
        """The inputs of the model, in its structure, with the sizes of the subject."""
        import tensorflow as tf

        return keras.tree.map_structure(lambda x: tf.TensorSpec(self.sizes[x.name], x.dtype, name=x.name), model.input)


def assert_same(model, data, got):
    """That `got`, outputs by name, are the model's."""
    expected = outputs_of(model, data)
    assert sorted(expected) == sorted(got)
    for name, value in expected.items():
        assert np.isfinite(value).all()
        np.testing.assert_allclose(got[name], value, rtol=1e-4, atol=1e-5)


def outputs_of(model, data):
    """The outputs of the model on `data` by name, sorted, as arrays."""
    inputs = keras.tree.map_structure(lambda x: keras.ops.convert_to_tensor(data[x.name]), model.input)
    named = name_outputs(model(inputs, training=False), output_names(model))
    return {name: keras.ops.convert_to_numpy(named[name]) for name in sorted(named)}


def parameters(subjects, quick):
    """The subjects as parameters of tests; those that are not named in `quick` are slow."""
    return variants({subject.name: subject for subject in subjects}, *quick)


def _layer(case):
    below = case.below if isinstance(case.below, tuple) else (case.below,) * len(case.inputs)
    sizes = {f"x{i}": shape for i, shape in enumerate(case.inputs)}

    def make():
        inputs = [
            keras.Input(
                batch_shape=tuple(None if i in (0, *case.dynamic) else n for i, n in enumerate(shape)),
                dtype="int32" if limit else "float32",
                name=name,
            )
            for (name, shape), limit in zip(sizes.items(), below, strict=True)
        ]
        return keras.Model(inputs, case.layer(**case.init)(*inputs, **case.call))

    limits = {name: limit for name, limit in zip(sizes, below) if limit}
    return Subject(str(case), make, sizes, limits, case.multiple)


LAYERS = [_layer(case) for case in CASES]

WORDS = {"sizes": {"source": (2, 7), "target": (2, 5)}, "below": {"source": 11, "target": 13}}
RECURRENT = {"source_vocabulary_size": 11, "target_vocabulary_size": 13, "embedding_dim": 5, "units": 6}
PIXELS = {"model_dim": 12, "num_heads": 3, "intermediate_dim": 20, "key_dim": 5, "num_layers": 1}
GLIMPSES = {"num_glimpses": 3, "size": 3, "scales": 2, "glimpse_units": 7, "location_units": 5, "units": 8}
GLIMPSES |= {"num_classes": 3, "channels": 2}
SAGAN = {"image_size": 16, "num_classes": 3, "channels": 4, "attention_at": 8, "generator": {"noise_dim": 5}}
SELECTION = {"image_size": (16, 24), "num_downs": 3, "width": 3, "semantics_width": 2, "selection_channels": 11}
SELECTION |= {"num_candidates": 5, "pool_sizes": (1, 2, 3), "discriminator_width": 2}
PATCHES = {"num_layers": 1, "model_dim": 12, "num_heads": 4, "intermediate_dim": 20, "num_classes": 5}
TEXT = {"num_layers": 1, "model_dim": 12, "num_heads": 3, "intermediate_dim": 20}
SPEECH = {"num_encoder_layers": 1, "num_decoder_layers": 1, "model_dim": 12, "num_heads": 3, "intermediate_dim": 20}
SPEECH |= {"max_length": 9, "audio_length": 1600, "num_bins": 7}
VIDEO = {"blocks": (1, 1), "non_local": {"res2": (0,)}, "num_classes": 5, "width": 4, "temporal_stride": 1}


def _transformer(**kwargs):
    return models.transformer(
        11, num_layers=1, model_dim=12, num_heads=3, intermediate_dim=20, key_dim=5, value_dim=7, **kwargs
    )


def _resnet(name, **kwargs):
    make = {"blocks": (1, 1), "width": 4, "num_classes": 5, **kwargs}
    return Subject(name, lambda: models.AttentionResNet(**make), {"image": (2, 37, 41, 3)})


FACTORIES = [
    Subject("transformer", _transformer, WORDS["sizes"], {"source": 11, "target": 11}),
    Subject("rnn_search", lambda: models.rnn_search(**RECURRENT, attention_units=4, maxout_units=3), **WORDS),
    Subject("rnn_search-encdec", lambda: models.rnn_search(**RECURRENT, maxout_units=3, attention=False), **WORDS),
    Subject("luong_lstm", lambda: models.luong_lstm(**RECURRENT, num_layers=2), **WORDS),
    Subject(
        "luong_lstm-local-p",
        lambda: models.luong_lstm(**RECURRENT, num_layers=1, window="local_p", half_width=2),
        **WORDS,
    ),
    Subject(
        "image_transformer-2d-mixture-classes",
        lambda: models.image_transformer(
            **PIXELS,
            query_block=(2, 3),
            memory_block=(1, 2),
            num_classes=4,
            likelihood="logistic_mixture",
            num_mixtures=2,
        ),
        {"image": (2, 5, 4, 3), "label": (2,)},
        {"image": 256, "label": 4},
    ),
    Subject(
        "image_transformer-1d",
        lambda: models.image_transformer(**PIXELS, query_block=5, memory_block=7),
        {"image": (2, 3, 4, 3)},
        {"image": 256},
    ),
    Subject(
        "image_transformer-super-resolution",
        lambda: models.image_transformer(
            **PIXELS,
            query_block=(2, 3),
            memory_block=(1, 2),
            num_encoder_layers=1,
            position_encoding="learned",
            max_size=(9, 8),
        ),
        {"image": (2, 5, 4, 3), "source": (2, 3, 2, 3)},
        {"image": 256, "source": 256},
    ),
    Subject("sagan_generator", lambda: models.sagan(**SAGAN)[0], {"noise": (2, 5), "label": (2,)}, {"label": 3}),
    Subject(
        "sagan_discriminator", lambda: models.sagan(**SAGAN)[1], {"image": (2, 16, 16, 3), "label": (2,)}, {"label": 3}
    ),
    Subject(
        "selection_gan_generator",
        lambda: models.selection_gan(**SELECTION)[0],
        {"source": (2, 16, 24, 3), "semantics": (2, 16, 24, 3)},
        noise=0.1,  # with 0.3 the logits of the attention reach 100, and their rounding shows in the probabilities
    ),
    Subject(
        "selection_gan_discriminator",
        lambda: models.selection_gan(**SELECTION)[1],
        {"image": (2, 24, 29, 3), "source": (2, 24, 29, 3)},
    ),
    Subject("recurrent_attention", lambda: models.recurrent_attention(**GLIMPSES), {"images": (2, 13, 11, 2)}),
    Subject(
        "recurrent_attention-soft-lstm",
        lambda: models.recurrent_attention(**GLIMPSES, soft=True, core="lstm"),
        {"images": (2, 13, 11, 2)},
    ),
    _resnet("attention_resnet-cbam", attention="cbam", attention_kwargs={"ratio": 2}),
    _resnet("attention_resnet"),
    _resnet("attention_resnet-se", attention="se", attention_kwargs={"ratio": 2}, bottleneck=False),
    _resnet("attention_resnet-non_local", attention="non_local", blocks=(1, 2), bottleneck=False),
    Subject(
        "vision_transformer",
        lambda: models.VisionTransformer((4, 9), (2, 3), **PATCHES, input_channels=2),
        {"image": (2, 4, 9, 2)},
    ),
    Subject(
        "vision_transformer-mean-features",
        lambda: models.VisionTransformer(
            (4, 9), (2, 3), **{**PATCHES, "num_classes": None}, pooling="mean", representation_dim=7
        ),
        {"image": (2, 4, 9, 3)},
    ),
    Subject(
        "bert",
        lambda: models.bert(11, num_segments=3, max_length=9, **TEXT),
        {"tokens": (2, 5), "segments": (2, 5)},
        {"tokens": 11, "segments": 3},
    ),
    Subject("gpt", lambda: models.gpt(11, max_length=9, **TEXT), {"tokens": (2, 5)}, {"tokens": 11}),
    Subject(
        "gpt-llama",
        lambda: models.llama(11, **{**TEXT, "num_heads": 6}, attention={"num_key_value_heads": 2}),
        {"tokens": (2, 5)},
        {"tokens": 11},
    ),
    Subject(
        "whisper",
        lambda: models.whisper(11, **SPEECH),
        {"audio": (2, 450), "tokens": (2, 5)},
        {"tokens": 11},
    ),
    Subject("non_local_resnet", lambda: models.NonLocalResNet(**VIDEO), {"clip": (2, 4, 33, 37, 3)}),
    Subject(
        "non_local_resnet-i3d", lambda: models.NonLocalResNet(**VIDEO, inflation="3x1x1"), {"clip": (2, 4, 33, 37, 3)}
    ),
]
