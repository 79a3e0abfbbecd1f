"""Evaluation of translations: BLEU by sentence length, as the paper's Figure 2, and alignments."""

import collections
import json

import numpy as np
import sacrebleu
from translation_data import length
from translation_text import by_word, padded

from keras_attention import visualize
from keras_attention.visualize.style import PALETTE

Score = collections.namedtuple("Score", "bleu margin")  # BLEU, and half its 95 % interval by bootstrap
MARKS = ("o", "s")


def bins(lengths, width=5, least=50):
    """Ranges of lengths, each a multiple of `width` wide and with at least `least` of `lengths` in it.

    The last range includes the remaining long ones.

    Returns:
        List of (shortest, longest), both inclusive.
    """
    lengths, found, low = np.asarray(lengths), [], 1
    for high in range(width, int(lengths.max()) + width, width):
        if np.sum((lengths >= low) & (lengths <= high)) >= least:
            found.append((low, high))
            low = high + 1
    found[-1:] = [(found[-1][0] if found else 1, int(lengths.max()))]
    return [(max(low, int(lengths.min())), high) for low, high in found]


def bleu(answers, references):
    """The `Score` of a list of translations; the bootstrap has a fixed seed."""
    metric = sacrebleu.BLEU()
    score = metric.corpus_score(answers, [references], n_bootstrap=1000)
    found = json.loads(score.format(width=2, is_json=True, signature=str(metric.get_signature())))
    # Missing if no sample has a correct word.
    return Score(score.score, found.get("confidence_var", 0.0))


def bleu_by_length(answers, pairs, ranges):
    """The `Score` of the translations of the sentences of each range of lengths."""
    scores = []
    for low, high in ranges:
        rows = [i for i, pair in enumerate(pairs) if low <= length(pair.source) <= high]
        scores.append(bleu([answers[i] for i in rows], [pairs[i].target for i in rows]))
    return scores


def counts(pairs, ranges):
    return [sum(low <= length(pair.source) <= high for pair in pairs) for low, high in ranges]


def plot_bleu(curves, ranges, sentences, title):
    """The paper's Figure 2: BLEU against length, one line for each model.

    Args:
        curves: {name of the model: list of `Score`}.
        ranges: The `bins`.
        sentences: Number of sentences in each range.
        title: String.

    Returns:
        `matplotlib.figure.Figure`.
    """
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7, 4.4), layout="constrained")
    axes = figure.subplots()
    positions = np.arange(len(ranges))
    for (name, scores), colour, mark, aside in zip(curves.items(), PALETTE, MARKS, (-0.04, 0.04)):
        heights, margins = np.transpose(scores)
        axes.errorbar(positions + aside, heights, margins, label=name, color=colour, marker=mark, capsize=3)
    labels = [f"{low}–{high}\n{count}" for (low, high), count in zip(ranges, sentences)]
    axes.set_xticks(positions, labels)
    axes.set_xlabel("words of the English sentence, and number of held-out sentences")
    axes.set_ylabel("BLEU (bars: 95 % by bootstrap)")
    axes.set_ylim(bottom=0)
    axes.set_title(title)
    axes.grid(axis="y", alpha=0.3)
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(frameon=False)
    return figure


def worth_drawing(pairs, answers, number=4, shortest=7, longest=16):
    """Indices of sentences to plot: the longest of the best translations, each of another integration."""
    rows = [i for i, pair in enumerate(pairs) if shortest <= length(pair.source) <= longest and answers[i]]
    order = {i: (sacrebleu.sentence_bleu(answers[i], [pairs[i].target]).score, length(pairs[i].source)) for i in rows}
    groups = {}
    for i in sorted(rows, key=order.get, reverse=True):
        groups.setdefault(pairs[i].group, i)
    return list(groups.values())[:number]


def plot_alignment(model, subwords_in, subwords_out, sentence, answer):
    """Plots the attention from the words of the translation to those of the sentence: the paper's Figure 3."""
    [read], [written] = subwords_in.encode([sentence]), subwords_out.encode([answer])
    inputs = {"source": padded([read]), "target": padded([written], start=True)}
    scores = np.asarray(model.attention_scores(inputs))[0]
    scores, rows, columns = by_word(scores, subwords_out.pieces(written), subwords_in.pieces(read))
    return visualize.plot_attention(scores, rows, columns, query_title="written", key_title="read")
