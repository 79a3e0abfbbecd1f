"""Transformer: NumPy reference, causality, padding, positions, weight tying, initialization."""

import keras
import numpy as np
import pytest
from keras import ops

from keras_attention.models import transformer
from tests.models.helpers import INPUTS, SIZES, SOURCE, TARGET, noisy, numpy, same, small, weights_of
from tests.reference import positions as reference_positions
from tests.reference import transformer as reference

VARIANTS = {
    "paper": ({}, reference_positions.sinusoidal),
    "pre-norm-biased-reference": (
        {"norm_first": True, "use_bias": True, "position_encoding": "sinusoidal_reference"},
        reference_positions.sinusoidal_reference,
    ),
    "untied-no-positions": (
        {"tie_embeddings": False, "position_encoding": None},
        lambda length, size: np.zeros((length, size)),
    ),
}


@pytest.mark.parametrize(("arguments", "positions"), VARIANTS.values(), ids=VARIANTS)
def test_matches_the_numpy_reference(arguments, positions):
    model = same(**arguments)
    norm_first = arguments.get("norm_first", False)
    expected = reference.transformer(SOURCE, TARGET, weights_of(model), norm_first, positions)
    np.testing.assert_allclose(numpy(model(INPUTS)), expected, atol=2e-4, rtol=1e-4)


def test_learned_positions_of_encoder_and_decoder():
    model = small(position_encoding="learned", max_length=9)
    source, target = numpy(model.encoder.position.table), numpy(model.decoder.position.table)
    assert np.abs(source - target).max() > 0.1
    weights = weights_of(model)
    tables = iter((source, target, source, target))  # encoder and decoder of two sentences
    expected = reference.transformer(SOURCE, TARGET, weights, positions=lambda length, size: next(tables)[:length])
    np.testing.assert_allclose(numpy(model(INPUTS)), expected, atol=2e-4, rtol=1e-4)
    assert model.count_params() == same().count_params() + 2 * 9 * SIZES["model_dim"]


@pytest.mark.parametrize("norm_first", [False, True])
def test_target_tokens_do_not_affect_earlier_outputs(norm_first):
    model = same(norm_first=norm_first, num_layers=1)
    changed = TARGET.copy()
    changed[:, 4] = 17
    before, after = numpy(model(INPUTS)), numpy(model({**INPUTS, "target": changed}))
    np.testing.assert_allclose(after[:, :4], before[:, :4], atol=1e-6)
    assert (np.abs(after[:, 4:] - before[:, 4:]).max(axis=(0, 2)) > 1e-3).all()


def test_source_padding_does_not_affect_outputs():
    model = small()
    plain = numpy(model({"source": SOURCE[:1, :4], "target": TARGET[:1]}))
    padded = np.zeros((1, 13), "int32")
    padded[:, :4] = SOURCE[:1, :4]
    np.testing.assert_allclose(numpy(model({"source": padded, "target": TARGET[:1]})), plain, atol=1e-5)
    # Even with NaN as the embedding of padding.
    table = numpy(model.encoder.embedding.embeddings).copy()
    table[0] = np.nan
    model.encoder.embedding.embeddings.assign(table)
    with_nan = numpy(model({"source": padded, "target": TARGET[:1]}))
    np.testing.assert_allclose(with_nan[..., 1:], plain[..., 1:], atol=1e-5)


def test_target_padding_does_not_affect_earlier_outputs():
    model = same(norm_first=False, num_layers=1)
    padded = np.pad(TARGET, ((0, 0), (0, 5)))
    before, after = numpy(model(INPUTS)), numpy(model({**INPUTS, "target": padded}))
    np.testing.assert_allclose(after[:, : TARGET.shape[1]], before, atol=1e-5)


def test_encoder_without_positions_is_permutation_equivariant():
    order = np.array([4, 2, 0, 5, 1, 3])
    without, with_positions = small(position_encoding=None, num_layers=1), same(norm_first=False, num_layers=1)
    for model, alike in ((without, True), (with_positions, False)):
        memory = numpy(model.encode(SOURCE[1:]))
        permuted = numpy(model.encode(SOURCE[1:, order]))
        assert np.allclose(permuted, memory[:, order], atol=1e-5) == alike


def test_kernels_start_glorot_uniform_and_embeddings_normal():
    model = transformer(2000, num_layers=1)
    attention = model.decoder.blocks[0].memory_attention
    for w in attention.weights:
        assert abs(np.abs(numpy(w)).max() - 0.07655) < 1e-4, w.path
    assert abs(numpy(model.scorer.embeddings).std() - 512**-0.5) < 1e-4
    first, second = (numpy(w) for w in attention.weights[:2])
    assert np.abs(first - second).max() > 0.01


def test_tied_embeddings_share_one_table():
    model, untied = same(norm_first=False, num_layers=1), small(tie_embeddings=False, num_layers=1)
    assert model.encoder.embedding is model.decoder.embedding is model.scorer
    assert untied.count_params() == model.count_params() + 2 * SIZES["vocabulary_size"] * SIZES["model_dim"]


def test_gradient_of_the_tied_table_is_the_sum_of_three():
    tf = pytest.importorskip("tensorflow")
    if keras.backend.backend() != "tensorflow":
        pytest.skip("needs TensorFlow's tape")
    tied, untied = same(norm_first=False, num_layers=1), small(num_layers=1, tie_embeddings=False)
    rest = [w for w in tied.weights if "embeddings" not in w.path]
    for to, w in zip([w for w in untied.weights if "embeddings" not in w.path], rest, strict=True):
        to.assign(w)
    tables = [part.embeddings for part in (untied.encoder.embedding, untied.decoder.embedding, untied.scorer)]
    for table in tables:
        table.assign(tied.scorer.embeddings)

    def gradients(model, variables):
        with tf.GradientTape() as tape:
            loss = ops.mean(ops.square(model(INPUTS)))
        return [numpy(tf.convert_to_tensor(g)) for g in tape.gradient(loss, [v.value for v in variables])]

    [whole] = gradients(tied, [tied.scorer.embeddings])
    parts = gradients(untied, tables)
    assert all(np.abs(part).max() > 1e-3 for part in parts)
    np.testing.assert_allclose(whole, sum(parts), rtol=1e-3, atol=1e-4)


def test_outputs_of_post_norm_blocks_are_normalized_and_of_pre_norm_are_not():
    for norm_first in (False, True):
        model = transformer(**{**SIZES, "num_layers": 1}, norm_first=norm_first)  # initial gamma 1, beta 0
        source = SOURCE[1:]  # without padding, which is zeroed
        y = numpy(model.encoder.blocks[0](model.encoder.embed(source)))
        normalized = np.allclose(y.mean(-1), 0, atol=1e-5) and np.allclose(y.var(-1), 1, atol=1e-3)
        assert normalized != norm_first
        memory = numpy(model.encode(source))
        np.testing.assert_allclose(memory.var(-1), 1, atol=1e-3)


def test_dropout_is_active_only_in_training():
    sizes = {**SIZES, "num_layers": 1}
    model, still = noisy(transformer(**sizes, dropout=0.3, seed=1)), noisy(transformer(**sizes, dropout=0.0))
    expected = numpy(still(INPUTS))
    np.testing.assert_allclose(numpy(model(INPUTS)), expected, atol=1e-5)
    np.testing.assert_allclose(numpy(still(INPUTS, training=True)), expected, atol=1e-6)
    first, second = (numpy(model(INPUTS, training=True)) for _ in range(2))
    assert np.abs(first - expected).max() > 1e-2 and np.abs(first - second).max() > 1e-2


def test_dropout_layers_have_different_seeds():
    model = transformer(**SIZES, seed=3)
    seeds = [x.seed for x in model._flatten_layers() if isinstance(x, keras.layers.Dropout)]
    assert len(seeds) == len(set(seeds)) == 2 + 4


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"num_heads": 5}, "divisible by `num_heads`.*num_heads=5"),
        ({"vocabulary_size": 0}, "`vocabulary_size`.*vocabulary_size=0"),
        ({"num_layers": 1.5}, "`num_layers`.*num_layers=1.5"),
        ({"dropout": 1.0}, "`dropout`.*dropout=1.0"),
        ({"position_encoding": "rotary"}, "`position_encoding`.*'rotary'"),
        ({"position_encoding": "learned"}, "needs `max_length`"),
    ],
)
def test_bad_arguments_raise(arguments, message):
    arguments = {"vocabulary_size": 23, "num_layers": 1, "model_dim": 12, "num_heads": 3, **arguments}
    with pytest.raises(ValueError, match=message):
        transformer(**arguments)
