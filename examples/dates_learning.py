"""Training and inference of the date reader: batches by length, the paper's training, decoding in the graph."""

import keras
import numpy as np
import tensorflow as tf
from dates_text import END, PAD, START
from progress import Progress

from keras_attention import decoding, training

ISO_LENGTH = 11  # 2019-06-03 and the end
# Days of the years 1900 to 2099 that are in the calendar; RE2.
_LONG, _SHORT = "0[13578]|1[02]", "0[469]|11"
CALENDAR = (
    rf"(19|20)\d\d-(({_LONG})-(0[1-9]|[12]\d|3[01])|({_SHORT})-(0[1-9]|[12]\d|30)|02-(0[1-9]|1\d|2[0-8]))"
    r"|((19|20)(0[48]|[2468][048]|[13579][26])|2000)-02-29"
)
TEXTS = [tf.TensorSpec([None], "string", name="texts")]


def numbers(text, samples):
    """Source ids [n, S] and target ids [n, 11] of samples: the date in ISO 8601, or nothing, and the end."""
    source, _ = text.encode(tf.constant([sample.text for sample in samples]))
    target, lengths = text.encode(tf.constant([sample.iso for sample in samples]))
    target = np.pad(target.numpy(), ((0, 0), (0, 1)), constant_values=PAD)
    target[np.arange(len(target)), lengths] = END
    return source.numpy(), target


def batches(source, target, batch_size, seed):
    """A dataset of batches of texts of similar length, to save padding.

    Texts are sorted by length within groups of fifty batches; the batches of a group are shuffled.
    """
    rng = np.random.default_rng(seed)
    lengths = (source != PAD).sum(axis=1)

    def generate():
        for group in _split(np.arange(len(source)), 50 * batch_size):
            group = group[np.argsort(lengths[group], kind="stable")]
            parts = _split(group, batch_size)
            for rows in (parts[i] for i in rng.permutation(len(parts))):
                x, y = source[rows, : lengths[rows].max()], target[rows]
                yield {"source": x, "target": np.pad(y[:, :-1], ((0, 0), (1, 0)), constant_values=START)}, y

    ids = tf.TensorSpec((None, None), "int32")
    signature = ({"source": ids, "target": ids}, ids)
    return tf.data.Dataset.from_generator(generate, output_signature=signature).prefetch(4)


def learn(model, dataset, steps, factor=0.7, global_clipnorm=None):
    """Trains as the Transformer's paper: its schedule, Adam, label smoothing; the learning rate ends at zero.

    Args:
        model: A network of `dates_networks.NETWORKS`.
        dataset: Of `batches`.
        steps: Number of updates.
        factor: Factor of the schedule of width 128; 0.7: a learning rate of 0.0031 at most.
        global_clipnorm: Norm that gradients are clipped to, or `None`.

    Returns:
        The Keras `History`.
    """
    schedule = CoolingSchedule(128, steps, factor=factor)
    model.compile(
        keras.optimizers.Adam(schedule, beta_2=0.98, epsilon=1e-9, global_clipnorm=global_clipnorm),
        training.LabelSmoothedCrossEntropy(0.1, variant="reference"),
        metrics=[training.SequenceAccuracy()],
    )
    bar = Progress(0, steps, {"loss": "loss {:.3f}", "sequence_accuracy": "accuracy {:.1%}"})
    return model.fit(dataset, steps_per_epoch=steps, shuffle=False, verbose=0, callbacks=[bar])


class CoolingSchedule(training.TransformerSchedule):
    """The Transformer's schedule with linear decay to zero over the last `cooling` part of the steps.

    The paper averages its last checkpoints instead, which takes many more steps.
    """

    def __init__(self, model_dim, steps, warmup_steps=400, factor=0.7, cooling=0.4):
        super().__init__(model_dim, warmup_steps, factor, variant="reference")
        self.steps, self.cooling = steps, cooling

    def __call__(self, step):
        left = (self.steps - tf.cast(step, "float32")) / (self.cooling * self.steps)
        return super().__call__(step) * tf.clip_by_value(left, 0.0, 1.0)

    def get_config(self):
        config = super().get_config()
        del config["variant"]
        return {**config, "steps": self.steps, "cooling": self.cooling}


def reader(model, text):
    """Encoding, the decode loop and decoding in one graph: `texts` [B] strings -> {"dates": [B] strings}.

    The result is "" for an empty text, for one of more than `text.max_length` characters, and where the output is not
    a day of the calendar from 1900 to 2099.
    """

    # AutoGraph has nothing to convert here, and would take longer than the trace.
    @tf.function(input_signature=TEXTS, autograph=False)
    def read(texts):
        source, lengths = text.encode(texts)
        # At least one column, for a batch of empty strings.
        source = tf.pad(source, [[0, 0], [0, tf.cast(tf.shape(source)[1] == 0, "int32")]])
        start = tf.fill(tf.shape(texts), START)
        tokens = decoding.greedy(model.step, model.start(source, ISO_LENGTH), start, ISO_LENGTH, END)
        dates = text.decode(tokens)
        answered = (lengths > 0) & (lengths <= text.max_length) & tf.strings.regex_full_match(dates, CALENDAR)
        return {"dates": tf.where(answered, dates, "")}

    return read


def answers(read, texts, batch_size=250):
    """Reads a list of texts with a `reader` in the graph."""
    dates = [read(tf.constant(part))["dates"].numpy() for part in _split(np.array(texts, object), batch_size)]
    return [date.decode() for date in np.concatenate(dates)]


def _split(rows, size):
    return np.split(rows, range(size, len(rows), size))
