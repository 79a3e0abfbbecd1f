"""Training, resuming and inference of a translation model."""

import functools

import keras
import numpy as np
import tensorflow as tf
from resuming import train
from translation_text import END, PAD, START, padded

from keras_attention import decoding, training

LONGEST_ANSWER = 120  # subwords
LONGEST_LEARNED = 80  # subwords; a longer pair would cost as much as ten others
GROUP = 50  # batches are sorted by length in groups of this many


def numbers(pairs, subwords_in, subwords_out):
    """Lists of the token ids of the sentences and of their translations, without pairs of too many subwords."""
    rows = zip(*(side.encode(texts) for side, texts in zip((subwords_in, subwords_out), list(zip(*pairs))[-2:])))
    rows = [pair for pair in rows if max(map(len, pair)) <= LONGEST_LEARNED]
    return [x for x, _ in rows], [y for _, y in rows]


def batches(source, target, batch_size, seed, first=0):
    """Endless batches of pairs of similar length from batch `first` on.

    Batch k does not depend on `first`: pairs are shuffled in each epoch, sorted by length within groups of fifty
    batches, and the batches of a group are shuffled, all from `seed` and the number of the epoch.

    Args:
        source: Lists of token ids.
        target: Token ids of their translations.
        batch_size: Pairs in a batch, at most all; an incomplete batch at the end of an epoch is dropped.
        seed: Int.
        first: Int, number of skipped batches.
    """
    per_epoch = len(source) // batch_size

    def generate():
        number = first
        while True:
            for rows in _round(source, target, batch_size, (seed, number // per_epoch))[number % per_epoch :]:
                x, y = [source[row] for row in rows], [target[row] for row in rows]
                yield {"source": padded(x), "target": padded(y, start=True)}, padded(y)
                number += 1

    ids = tf.TensorSpec((None, None), "int32")
    signature = ({"source": ids, "target": ids}, ids)
    return tf.data.Dataset.from_generator(generate, output_signature=signature).prefetch(4)


def _round(source, target, batch_size, seed):
    rng = np.random.default_rng(seed)
    order = rng.permutation(len(source))[: len(source) // batch_size * batch_size]
    found = []
    for group in _parts(order, GROUP * batch_size):
        group = np.array(sorted(group, key=lambda row: (max(len(source[row]), len(target[row])), len(target[row]))))
        parts = _parts(group, batch_size)
        found += [parts[i] for i in rng.permutation(len(parts))]
    return found


def learn(model, source, target, steps, batch_size, seed, folder, rate=6e-3, every=100, callbacks=()):
    """Trains up to update `steps`, resuming from the last checkpoint in `folder` if there is one.

    Adam in place of the paper's Adadelta, with cosine decay of the learning rate; gradients are clipped to a norm of 1,
    as in the paper. A checkpoint holds the weights, the optimizer and, in its count of updates, the position in the
    data.

    Returns:
        The number of updates done by earlier runs.
    """
    schedule = keras.optimizers.schedules.CosineDecay(rate, steps, alpha=0.02)
    model.compile(
        keras.optimizers.Adam(schedule, global_clipnorm=1.0),
        training.LabelSmoothedCrossEntropy(0.0),
        metrics=[training.TokenAccuracy()],
        jit_compile=False,  # lengths differ from batch to batch
    )
    data = functools.partial(batches, source, target, batch_size, seed)
    shown = {"loss": "loss {:.3f}", "token_accuracy": "accuracy {:.1%}"}
    return train(model, data, steps, folder, every, shown, callbacks)


def translator(model, subwords_in, subwords_out, beam=1):
    """A function from English sentences to a list of translations; the decode loop is one graph.

    Args:
        model: An `rnn_search` model.
        subwords_in: `Subwords` of the English sentences.
        subwords_out: `Subwords` of the translations.
        beam: Int, beam width; 1: greedy.
    """

    # AutoGraph has nothing to convert here, and would take longer than the trace.
    @tf.function(input_signature=[tf.TensorSpec([None, None], "int32")], autograph=False)
    def write(source):
        start, cache = tf.fill(tf.shape(source)[:1], START), model.start(source, LONGEST_ANSWER)
        if beam == 1:
            return decoding.greedy(model.step, cache, start, LONGEST_ANSWER, END, pad_token=PAD)
        tokens, _ = decoding.beam_search(model.step, cache, start, LONGEST_ANSWER, END, beam)
        return tokens[:, 0]

    def translate(sentences, batch_size=100):
        rows = subwords_in.encode(sentences)
        order = sorted(range(len(rows)), key=lambda i: len(rows[i]))
        answers = [""] * len(rows)
        for part in _parts(np.array(order, int), batch_size):
            for i, answer in zip(part, subwords_out.decode(write(padded([rows[i] for i in part])).numpy())):
                answers[i] = answer
        return answers

    return translate


def _parts(rows, size):
    return np.split(rows, range(size, len(rows), size))
