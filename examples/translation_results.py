"""Evaluation of translations: BLEU by sentence length, as the paper's Figure 2, and alignments."""

import collections
import json

import numpy as np
import sacrebleu
from comparing import interval
from translation_data import length
from translation_text import by_word, padded

from keras_attention import visualize
from keras_attention.visualize.style import PALETTE

Score = collections.namedtuple("Score", "bleu margin")  # BLEU, and half its 95 % interval by bootstrap
SAMPLES = 1000  # of the bootstrap
MARKS = ("o", "s", "^", "v", "D", "P", "X", "<", ">")


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
    score = metric.corpus_score(answers, [references], n_bootstrap=SAMPLES)
    found = json.loads(score.format(width=2, is_json=True, signature=str(metric.get_signature())))
    # Missing if no sample has a correct word.
    return Score(score.score, found.get("confidence_var", 0.0))


def signature():
    """SacreBLEU's signature of `bleu`: all that a score depends on but the sentences."""
    metric = sacrebleu.BLEU()
    metric.corpus_score(["one"], [["one"]], n_bootstrap=SAMPLES)  # else it knows neither references nor bootstrap
    return str(metric.get_signature())


def bleu_by_length(answers, pairs, ranges):
    """The `Score` of the translations of the sentences of each range of lengths."""
    scores = []
    for low, high in ranges:
        rows = [i for i, pair in enumerate(pairs) if low <= length(pair.source) <= high]
        scores.append(bleu([answers[i] for i in rows], [pairs[i].target for i in rows]))
    return scores


def over_seeds(scores):
    """The `Score` of one model; of several, their mean and its 95 % interval by Student's t."""
    if len(scores) == 1:
        return scores[0]
    values = [score.bleu for score in scores]
    return Score(float(np.mean(values)), interval(values))


def counts(pairs, ranges):
    return [sum(low <= length(pair.source) <= high for pair in pairs) for low, high in ranges]


def plot_bleu(curves, ranges, sentences, title, source="bootstrap"):
    """The paper's Figure 2: BLEU against length, one line for each model.

    Args:
        curves: {name of the model: list of `Score`}.
        ranges: The `bins`.
        sentences: Number of sentences in each range.
        title: String.
        source: String, where the intervals are from.

    Returns:
        `matplotlib.figure.Figure`.
    """
    from matplotlib.figure import Figure

    many = len(curves) > len(PALETTE)
    figure = Figure(figsize=(9.5 if many else 7, 4.4), layout="constrained")
    axes = figure.subplots()
    positions = np.arange(len(ranges))
    for i, ((name, scores), mark) in enumerate(zip(curves.items(), MARKS)):
        heights, margins = np.transpose(scores)
        aside = 0.08 * (i - (len(curves) - 1) / 2)
        style = {"color": PALETTE[i % len(PALETTE)], "linestyle": "--" if i >= len(PALETTE) else "-", "marker": mark}
        axes.errorbar(positions + aside, heights, margins, label=name, capsize=3, **style)
    labels = [f"{low}–{high}\n{count}" for (low, high), count in zip(ranges, sentences)]
    axes.set_xticks(positions, labels)
    axes.set_xlabel("words of the English sentence, and number of held-out sentences")
    axes.set_ylabel(f"BLEU (bars: 95 %, {source})")
    axes.set_ylim(bottom=0)
    axes.set_title(title)
    axes.grid(axis="y", alpha=0.3)
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(frameon=False, **({"loc": "center left", "bbox_to_anchor": (1, 0.5)} if many else {}))
    return figure


def worth_drawing(pairs, answers, number=4, shortest=7, longest=16):
    """Indices of sentences to plot: the longest of the best translations, each of another integration."""
    rows = [i for i, pair in enumerate(pairs) if shortest <= length(pair.source) <= longest and answers[i]]
    order = {i: (sacrebleu.sentence_bleu(answers[i], [pairs[i].target]).score, length(pairs[i].source)) for i in rows}
    groups = {}
    for i in sorted(rows, key=order.get, reverse=True):
        groups.setdefault(pairs[i].group, i)
    return list(groups.values())[:number]


def plot_alignments(networks, subwords_in, subwords_out, sentence, answer):
    """Plots the attention from the words of a translation to those of the sentence, as the paper's Figure 3.

    Args:
        networks: {name: (model, function of the model and its inputs that returns the scores [T, S])}.
        subwords_in: `Subwords` of the sentence.
        subwords_out: `Subwords` of the translation.
        sentence: String.
        answer: String, a translation.

    Returns:
        `matplotlib.figure.Figure`, with a panel for each network.
    """
    [read], [written] = subwords_in.encode([sentence]), subwords_out.encode([answer])
    inputs = {"source": padded([read]), "target": padded([written], start=True)}
    panels = []
    for model, scores in networks.values():
        of_words, rows, columns = by_word(scores(model, inputs), subwords_out.pieces(written), subwords_in.pieces(read))
        panels.append(of_words)
    figure = visualize.plot_attention(np.stack(panels), rows, columns, query_title="written", key_title="read")
    for axes, name in zip(figure.axes, networks if len(networks) > 1 else ()):
        axes.set_title(name)
    return figure
