import inspect

import dates_learning
import dates_networks
import keras
import numpy as np
import pytest
import tensorflow as tf
from dates_networks import NETWORKS
from dates_text import START, DateText

VOCABULARY = 302  # of the default run


@pytest.fixture(scope="module")
def models():
    keras.utils.set_random_seed(3)
    return {name: network.build(VOCABULARY, 3) for name, network in NETWORKS.items()}


def test_the_baselines_have_about_as_many_parameters_as_the_transformer(models):
    sizes = {name: model.count_params() for name, model in models.items()}
    assert sizes["Transformer"] == 961_792
    assert all(0.97 < size / sizes["Transformer"] < 1.03 for size in sizes.values())


def test_one_network_has_no_attention(models):
    assert [name for name, network in NETWORKS.items() if not network.scores] == ["RNNencdec"]
    assert not models["RNNencdec"].attention and models["RNNsearch"].attention


@pytest.mark.parametrize("name", ["Transformer", "RNNsearch"])
def test_attention_is_from_each_target_to_the_source(name, models):
    inputs = {"source": np.array([[5, 6, 7, 8, 9]]), "target": np.array([[START, 5, 6]])}
    scores = NETWORKS[name].scores(models[name], inputs)
    assert scores.shape == (3, 5)
    np.testing.assert_allclose(scores.sum(axis=1), 1, rtol=1e-5)


def test_the_transformers_attention_is_that_of_the_last_block(models):
    inputs = {"source": np.array([[5, 6, 7, 8]]), "target": np.array([[START, 5]])}
    blocks = models["Transformer"].attention_scores(inputs)["decoder_memory"]
    assert len(blocks) == dates_networks.TRANSFORMER["num_layers"]
    np.testing.assert_allclose(
        NETWORKS["Transformer"].scores(models["Transformer"], inputs), np.array(blocks[1]).mean(axis=1)[0]
    )


@pytest.mark.parametrize("name", NETWORKS)
def test_the_arguments_of_training_are_known(name):
    inspect.signature(dates_learning.learn).bind("model", "dataset", 10, **NETWORKS[name].training)


@pytest.mark.parametrize("name", ["RNNsearch", "RNNencdec"])
def test_a_baseline_generates_in_the_readers_graph_what_it_gives_in_parallel(name):
    """Greedy decoding step by step against the argmax of one call over the whole target."""
    text = DateText.of(["3 juni 2019-06"])
    model = NETWORKS[name].build(text.vocabulary_size, 0)
    source, _ = text.encode(tf.constant(["3 juni 2019"]))
    cache, tokens, written = model.start(source, 11), tf.constant([START]), []
    for index in range(4):
        logits, cache = model.step(tokens, cache, index)
        tokens = tf.argmax(logits, axis=-1, output_type="int32")
        written.append(int(tokens[0]))
    target = tf.constant([[START, *written[:-1]]])
    whole = model({"source": source, "target": target}, training=False)
    assert np.argmax(whole[0], axis=-1).tolist() == written
    assert dates_learning.reader(model, text)(tf.constant(["3 juni", ""]))["dates"].shape == (2,)
