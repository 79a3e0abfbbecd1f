"""The decoders of `RNNSearch`: what stands before the readout at every step, with attention or without.

Both are called on the embedded target [B, T, m], what the encoder left, and s_0 [B, n]; and return [s_{i-1}; c_i]
for every step and the scores, if there are any. Wiring of layers; no layers themselves.
"""

from keras import ops


class SearchingDecoder:
    """Looks at the annotations [B, S, D] for every word.

    Args:
        rnn: `AttentionRNN` that looks before it updates.
    """

    def __init__(self, rnn):
        self.rnn = rnn

    def __call__(self, x, annotations, mask, s_0, training=None):
        """[B, T, n + D] and scores [B, T, S]."""
        return self.rnn(
            x, annotations, memory_mask=mask, initial_state=s_0, return_attention_scores=True, training=training
        )

    def start(self, annotations, mask, s_0):
        memory = self.rnn.project_memory(annotations, mask=mask)
        return {"memory": memory, "state": self.rnn.start(memory, s_0)}

    def step(self, x, cache):
        output, _, state = self.rnn.step(x, cache["memory"], cache["state"])
        return output, {**cache, "state": state}


class FixedDecoder:
    """Reads the same summary [B, n] of the source for every word.

    Args:
        rnn: `GatedRecurrentUnit` that returns sequences.
    """

    def __init__(self, rnn):
        self.rnn = rnn

    def __call__(self, x, summary, mask, s_0, training=None):
        """[B, T, 2n] and `None`."""
        # A product: Keras's sum of [1, 1, n] and [1, T, 1] on TensorFlow takes the second for a bias if T = n.
        everywhere = summary[:, None] * ops.ones_like(x[..., :1])
        states = self.rnn(ops.concatenate([x, everywhere], axis=-1), initial_state=s_0)
        before = ops.concatenate([s_0[:, None], states[:, :-1]], axis=1)
        return ops.concatenate([before, everywhere], axis=-1), None

    def start(self, summary, mask, s_0):
        return {"summary": summary, "state": s_0}

    def step(self, x, cache):
        output = ops.concatenate([cache["state"], cache["summary"]], axis=-1)
        projected = self.rnn.cell.projection()(ops.concatenate([x, cache["summary"]], axis=-1))
        return output, {**cache, "state": self.rnn.cell.advance(projected, cache["state"])}
