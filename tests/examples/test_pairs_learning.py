import keras
import non_local_pairs as example
import numpy as np
import pairs_data
import pairs_learning as learning
import pytest

from tests.examples.interruptions import CopyAfter

pytestmark = pytest.mark.skipif(keras.backend.backend() != "tensorflow", reason="the example runs on TensorFlow")


def small(name=example.DRAWN):
    return example.build(example.parse(["--blocks", "1"]), name, seed=0)


def test_batches_do_not_depend_on_the_first_one():
    draw = pairs_data.sampler("textures")
    whole = [batch for batch, _ in zip(learning.batches(draw, 3, 5), range(3))]
    [(clips, same)] = [batch for batch, _ in zip(learning.batches(draw, 3, 5, first=2), range(1))]
    np.testing.assert_array_equal(clips, whole[2][0])
    np.testing.assert_array_equal(same, whole[2][1])
    assert np.abs(whole[0][0] - whole[1][0]).max() > 1


def test_with_kinds_the_labels_are_those_of_the_clip():
    draw = pairs_data.sampler("textures")
    [(clips, kinds)] = [batch for batch, _ in zip(learning.batches(draw, 6, 5, first=4, kinds=True), range(1))]
    expected, _, pairs, _ = pairs_data.clips(draw, 6, np.random.default_rng((5, 4)))
    np.testing.assert_array_equal(clips, expected)
    assert [set(np.flatnonzero(row)) for row in kinds] == [set(pair) for pair in pairs]


def test_features_are_those_of_the_source_and_logits_and_block_are_new():
    options = example.parse(["--blocks", "1"])
    source, model = example.network(options, 1, num_classes=pairs_data.KINDS), small()
    block, logits = (model.get_layer(name).get_weights() for name in ("stage1_block1_non_local", "logits"))
    learning.copy_features(source, model)
    for layer in source.layers[:-1]:
        for a, b in zip(layer.get_weights(), model.get_layer(layer.name).get_weights(), strict=True):
            np.testing.assert_array_equal(a, b)
    for name, before in (("stage1_block1_non_local", block), ("logits", logits)):
        for a, b in zip(model.get_layer(name).get_weights(), before, strict=True):
            np.testing.assert_array_equal(a, b)
    assert np.abs(
        source.get_layer("stem_conv").get_weights()[0] - small().get_layer("stem_conv").get_weights()[0]
    ).max()


@pytest.mark.usefixtures("eager")
def test_an_interrupted_run_ends_with_the_weights_of_an_uninterrupted_one(tmp_path):
    def make():
        """In place of a `NonLocalResNet`: a small network with and without weight decay."""
        keras.utils.set_random_seed(0)
        mean, norm = keras.layers.GlobalAveragePooling3D(), keras.layers.BatchNormalization()
        return keras.Sequential([keras.Input((4, 32, 32, 1)), mean, norm, keras.layers.Dense(2)])

    draw, whole, part = pairs_data.sampler("textures"), make(), make()
    killed = CopyAfter(1, tmp_path / "whole", tmp_path / "part")
    assert learning.learn(whole, draw, 2, 4, 1, tmp_path / "whole", every=1, callbacks=[killed]) == 0
    assert learning.learn(part, draw, 2, 4, 1, tmp_path / "part") == 1
    for a, b in zip(whole.get_weights(), part.get_weights(), strict=True):
        np.testing.assert_allclose(a, b, atol=1e-5)


def test_the_query_is_the_position_nearest_to_the_middle_of_the_first_patch(monkeypatch):
    """Scores that name their query: position q attends to key q alone."""
    side, frames = 7, pairs_data.FRAMES
    one_hot = np.eye(frames * side * side)[None, None].repeat(2, axis=0)
    monkeypatch.setattr(learning.visualize, "attention_scores", lambda model, inputs: {"block": one_hot})
    corners = np.array([[[2, 0, 20], [0, 5, 5]], [[1, 11, 7], [3, 0, 0]]])
    scores = learning.scores_of_first(None, np.zeros((2, 1)), corners)
    # Middles of the patches: 6 and 26, 17 and 13 pixels; of positions: 2, 6, 10, 14, 18, 22, 26.
    assert [tuple(np.argwhere(one)[0]) for one in scores] == [(2, 1, 6), (1, 4, 3)]


def test_the_part_on_a_patch_is_the_sum_over_its_positions():
    scores = np.random.default_rng(0).random((1, 4, 7, 7))
    corners = np.array([[[2, 3, 20], [0, 12, 0]]])
    # Rows 3 to 14 have the middles 6, 10 and 14; columns 20 to 31 the middles 22 and 26.
    first, second = scores[0, 2, 1:4, 5:7].sum(), scores[0, 0, 3:6, 0:3].sum()
    np.testing.assert_allclose(learning.on_patches(scores, corners), [[first, second]])


def test_accuracy_counts_correct_answers():
    class Answers:
        def predict_on_batch(self, part):
            return np.eye(2)[part]

    assert learning.accuracy(Answers(), np.array([0, 1, 1, 0, 1]), np.array([0, 1, 0, 0, 1]), 2) == 0.8


def test_c2d_adds_up_the_evidence_of_both_patches_and_a_block_does_not():
    """The premise of `limit_without_pairs`."""
    clips, first = pairs_data.clips(pairs_data.sampler("textures"), 2, np.random.default_rng(0))[0], np.arange(4) < 2
    for name, adds in (("C2D", True), (example.DRAWN, False)):
        model = small(name)
        for weight in model.weights:  # a block starts as the identity
            weight.assign(weight + 0.1 * np.random.default_rng(1).random(weight.shape))
        halves = [clips * half[:, None, None, None] for half in (first, ~first)]
        whole, nothing, *alone = (model.predict_on_batch(part) for part in (clips, 0 * clips, *halves))
        assert (np.abs(whole + nothing - sum(alone)).max() < 1e-4 * np.abs(whole).max()) == adds
