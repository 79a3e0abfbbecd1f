"""Transformer: decoding steps match the full forward pass, attention scores, saving, compilation."""

import keras
import numpy as np
import pytest
from keras import ops

from tests.models.helpers import INPUTS, SIZES, SOURCE, TARGET, numpy, same, small

BACKEND = keras.backend.backend()
VARIANTS = {
    "paper": {},
    "pre-norm-biased-untied-learned": {
        "norm_first": True,
        "use_bias": True,
        "tie_embeddings": False,
        "position_encoding": "learned",
        "max_length": 9,
    },
}
each_variant = pytest.mark.parametrize("arguments", VARIANTS.values(), ids=VARIANTS)


def stepwise(step, cache, length=TARGET.shape[1]):
    logits = []
    for t in range(length):
        row, cache = step(TARGET[:, t], cache, ops.convert_to_tensor(t, "int32"))
        logits.append(numpy(row))
    return np.stack(logits, axis=1)


@each_variant
def test_decoding_steps_match_the_full_forward_pass(arguments):
    model = same(**arguments)
    steps = stepwise(model.step, model.start(SOURCE, 9), length=3)
    np.testing.assert_allclose(steps, numpy(model(INPUTS))[:, :3], atol=1e-4)


def test_caches_are_batch_first():
    leaves = keras.tree.flatten(same().start(SOURCE, 10))
    assert len(leaves) == 2 * 5  # keys and values of two attentions in two blocks; the mask of the memory
    assert {leaf.shape[0] for leaf in leaves} == {2}
    assert sorted(tuple(leaf.shape[1:]) for leaf in leaves) == sorted(
        2 * [(3, 10, 5), (3, 10, 7), (6,), (3, 6, 5), (3, 6, 7)]
    )


def test_decoding_steps_in_a_compiled_function():
    model = same(num_layers=1)
    full = numpy(model(INPUTS))
    if BACKEND == "tensorflow":
        import tensorflow as tf

        # tests/decoding/test_with_transformer.py loops in a graph without XLA.
        step = tf.function(model.step, jit_compile=True, autograph=False)
        start = tf.function(lambda source: model.start(source, 9), jit_compile=True, autograph=False)
        np.testing.assert_allclose(stepwise(step, start(tf.constant(SOURCE))), full, atol=1e-4)
        assert step.experimental_get_tracing_count() == 1
    elif BACKEND == "jax":
        import jax

        start = jax.jit(lambda source: model.start(source, 9))
        np.testing.assert_allclose(stepwise(jax.jit(model.step), start(SOURCE)), full, atol=1e-4)
    else:
        pytest.skip("Keras does not promise that its layers go through `torch.compile`")


@each_variant
def test_attention_scores_are_masked_probabilities(arguments):
    model = same(**arguments)
    scores = model.attention_scores(INPUTS)
    shapes = {name: [tuple(x.shape) for x in blocks] for name, blocks in scores.items()}
    assert shapes == {
        "encoder_self": [(2, 3, 6, 6)] * 2,
        "decoder_self": [(2, 3, 7, 7)] * 2,
        "decoder_memory": [(2, 3, 7, 6)] * 2,
    }
    encoder, itself, memory = (numpy(scores[name][1]) for name in shapes)
    assert (memory[0, :, :, 4:] == 0).all() and (encoder[0, :, :, 4:] == 0).all()
    assert (itself * np.triu(np.ones((7, 7)), 1) == 0).all()
    for probs in (memory, itself, encoder[:, :, :4]):
        np.testing.assert_allclose(probs.sum(-1), 1, atol=1e-5)


# The paper's variant is saved in `test_mixed_precision`.
def test_save_and_load(tmp_path):
    sizes, arguments = {**SIZES, "num_layers": 1}, VARIANTS["pre-norm-biased-untied-learned"]
    model = small(**sizes, **arguments, name="translator")
    model.save(tmp_path / "model.keras")
    twin = keras.models.load_model(tmp_path / "model.keras")
    assert type(twin) is type(model) and twin.get_config() == model.get_config()
    assert {**sizes, **arguments}.items() <= twin.get_config().items()
    np.testing.assert_allclose(numpy(twin(INPUTS)), numpy(model(INPUTS)), atol=1e-6)
    ours, theirs = (stepwise(m.step, m.start(SOURCE, 7), length=2) for m in (model, twin))
    np.testing.assert_allclose(theirs, ours, atol=1e-6)


def test_mixed_precision(tmp_path):
    model = small(dtype="mixed_bfloat16", num_layers=1)
    logits = model(INPUTS)
    assert keras.backend.standardize_dtype(logits.dtype) == "bfloat16"
    assert {keras.backend.standardize_dtype(w.dtype) for w in model.weights} == {"float32"}
    exact = numpy(same(num_layers=1)(INPUTS))
    logits = numpy(ops.cast(logits, "float32"))
    assert np.abs(logits - exact).mean() < 0.05 * np.abs(exact).mean()
    model.save(tmp_path / "model.keras")
    twin = keras.models.load_model(tmp_path / "model.keras")
    assert type(twin) is type(model) and twin.get_config() == model.get_config()
    assert twin.dtype_policy.name == "mixed_bfloat16"
    again = twin(INPUTS)
    assert keras.backend.standardize_dtype(again.dtype) == "bfloat16"
    np.testing.assert_allclose(numpy(ops.cast(again, "float32")), logits, atol=1e-6)


@pytest.mark.parametrize("jit", [True] if BACKEND == "tensorflow" else ["auto"])
def test_training_lowers_the_loss(jit):
    model = small(dropout=0.0, num_layers=1)
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    # SGD without dropout: Adam would be a third of what XLA compiles, dropout more.
    model.compile(keras.optimizers.SGD(0.1), loss, jit_compile=jit)
    inputs, labels = {"source": SOURCE, "target": TARGET[:, :-1]}, TARGET[:, 1:]
    losses = [float(model.train_on_batch(inputs, labels)) for _ in range(25)]
    assert losses[-1] < 0.6 * losses[0]


def test_more_steps_than_learned_positions_raise():
    model = small(position_encoding="learned", max_length=9, num_layers=1)
    with pytest.raises(ValueError, match="`max_length` must be at most 9.*max_length=10"):
        model.start(SOURCE, 10)
    with pytest.raises(ValueError, match="max_length=9"):
        model.encode(np.ones((1, 10), "int32"))


def test_summary_shows_the_layers(capsys):
    same().summary()
    shown = capsys.readouterr().out
    assert all(name in shown for name in ("embedding", "encoder_block_1", "decoder_block_1"))
