import numpy as np
import pytest
import sacrebleu
import translation_results as results
from translation_data import Pair


def test_bins_have_enough_sentences_and_cover_all_lengths():
    lengths = [3] * 30 + [6] * 70 + [12] * 10 + [17] * 35 + [21] * 39 + [44] * 9
    found = results.bins(lengths, width=5, least=40)
    assert found == [(3, 10), (11, 20), (21, 44)]
    assert sum(low <= n <= high for n in lengths for low, high in found) == len(lengths)


@pytest.mark.parametrize(
    "lengths, least, expected",
    [
        ([4, 5, 9, 10], 2, [(4, 5), (6, 10)]),
        ([4, 5, 9, 10, 11], 2, [(4, 5), (6, 11)]),
        ([4, 5, 11], 9, [(4, 11)]),
        ([7, 7, 7], 2, [(7, 7)]),
    ],
)
def test_the_last_bin_includes_the_remaining_lengths(lengths, least, expected):
    assert results.bins(lengths, width=5, least=least) == expected


@pytest.fixture(scope="module")
def translated():
    """Pairs of 3 to 20 words; the translations of short ones are correct, of the others half correct."""
    rng = np.random.default_rng(0)
    pairs, answers = [], []
    for i in range(120):
        words = [f"w{n}" for n in rng.integers(0, 50, rng.integers(3, 21))]
        target = " ".join(f"v{word}" for word in words)
        pairs.append(Pair(f"g{i % 7}", " ".join(words), target))
        answers.append(target if len(words) <= 10 else " ".join(target.split()[: len(words) // 2] + ["no"] * 5))
    return pairs, answers


def test_bleu_by_length_is_sacrebleus_of_the_sentences_of_that_length(translated):
    pairs, answers = translated
    ranges = [(3, 10), (11, 20)]
    first, second = results.bleu_by_length(answers, pairs, ranges)
    assert first.bleu == pytest.approx(100.0)
    assert first.margin == pytest.approx(0.0, abs=1e-6)
    long = [(a, p.target) for a, p in zip(answers, pairs) if len(p.source.split()) > 10]
    assert second.bleu == pytest.approx(sacrebleu.corpus_bleu([a for a, _ in long], [[t for _, t in long]]).score)
    assert 0 < second.margin < 20
    assert results.counts(pairs, ranges) == [len(pairs) - len(long), len(long)]
    assert results.bleu(answers, [p.target for p in pairs]) == results.bleu(answers, [p.target for p in pairs])


def test_the_signature_is_of_the_scores():
    found = results.signature()
    for part in ("nrefs:1", "bs:1000", "case:mixed", "tok:13a", "smooth:exp", f"version:{sacrebleu.__version__}"):
        assert part in found.split("|")


def test_the_curve_shows_every_model_and_the_number_of_sentences(translated):
    pairs, answers = translated
    ranges = results.bins([len(p.source.split()) for p in pairs], least=30)
    by_length = results.bleu_by_length(answers, pairs, ranges)
    figure = results.plot_bleu({"one": by_length, "other": by_length}, ranges, results.counts(pairs, ranges), "title")
    [axes] = figure.axes
    assert [text.get_text() for text in axes.get_legend().get_texts()] == ["one", "other"]
    np.testing.assert_allclose(axes.lines[0].get_ydata(), [score.bleu for score in by_length])
    labels = [label.get_text() for label in axes.get_xticklabels()]
    assert labels[0] == f"3–5\n{results.counts(pairs, ranges)[0]}" or labels[0].startswith("3–10\n")
    assert len(labels) == len(ranges)


def test_the_longest_good_translations_of_several_integrations_are_plotted(translated):
    pairs, answers = translated
    chosen = results.worth_drawing(pairs, answers, number=3, shortest=4, longest=12)
    assert len({pairs[i].group for i in chosen}) == 3
    assert all(answers[i] == pairs[i].target and len(pairs[i].source.split()) == 10 for i in chosen)
    assert results.worth_drawing(pairs, [""] * len(pairs)) == []


def test_an_alignment_has_the_words_of_both_sentences_and_a_panel_for_each_network():
    from translation_text import Subwords

    english, spanish = Subwords.of(["the lamp is not found"] * 3, 30), Subwords.of(["la lámpara no está"] * 3, 25)

    def last(model, inputs):
        scores = np.zeros((inputs["target"].shape[1], inputs["source"].shape[1]))
        scores[:, model] = 1
        return scores

    sentences = english, spanish, "the lamp is found", "la lámpara está"
    figure = results.plot_alignments({"one": (-1, last)}, *sentences)
    axes = figure.axes[0]
    assert [t.get_text() for t in axes.get_yticklabels()] == ["la", "lámpara", "está", "(end)"]
    assert [t.get_text() for t in axes.get_xticklabels()] == ["the", "lamp", "is", "found", "(end)"]
    assert axes.get_title() == ""
    first, second, _ = results.plot_alignments({"end": (-1, last), "begin": (0, last)}, *sentences).axes
    for panel, title, column in ((first, "end", 4), (second, "begin", 0)):
        assert panel.get_title() == title
        np.testing.assert_array_equal(panel.images[0].get_array().argmax(axis=1), [column] * 4)


def test_over_seeds_the_interval_is_that_of_the_mean():
    one, other = results.Score(10.0, 1.0), results.Score(14.0, 2.0)
    assert results.over_seeds([one]) == one
    mean = results.over_seeds([one, other])
    # The quantile of t with one degree of freedom: tan(0.475 pi).
    assert mean == pytest.approx((12.0, np.tan(0.475 * np.pi) * 2.0))
