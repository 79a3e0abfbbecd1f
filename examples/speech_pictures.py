"""What Whisper hears and where each word of its transcript looks."""

import numpy as np

SECOND = 100  # frames of the spectrogram


def plot_words(mel, scores, words, title):
    """The log-mel spectrogram, and below it the cross-attention of each word over the same time.

    Args:
        mel: [frames, bands].
        scores: [W, frames / 2], of the words.
        words: W strings.
        title: String.
    """
    from matplotlib.figure import Figure

    seconds, count = len(mel) / SECOND, len(words)
    figure = Figure(figsize=(9, 2.6 + 0.26 * count), layout="constrained")
    above, below = figure.subplots(2, sharex=True, height_ratios=[1.8, 0.26 * count + 0.3])
    above.imshow(mel.T, aspect="auto", origin="lower", cmap="magma", extent=(0, seconds, 0, mel.shape[1]))
    above.set_ylabel("mel band")
    above.set_title(title, fontsize=11)
    shares = scores / scores.max(axis=1, keepdims=True)
    below.imshow(shares, aspect="auto", cmap="Blues", extent=(0, seconds, count - 0.5, -0.5), interpolation="nearest")
    below.set_yticks(range(count), words)
    below.set_xlabel("seconds")
    below.set_ylabel("written")
    for i, peak in enumerate(np.argmax(scores, axis=1)):
        below.plot((peak + 0.5) * 2 / SECOND, i, marker="|", color="#d62728", markersize=9, markeredgewidth=1.6)
    return figure
