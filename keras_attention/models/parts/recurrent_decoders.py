"""The decoders of `RNNSearch`, with attention and without.

Both are called on the embedded target [B, T, m], the encoder's output, its mask and s_0 [B, n], and return the
readout's input [s_{i-1}; c_i] of every step and the attention scores or `None`. Plain classes, not layers.
"""

from keras import ops


class SearchingDecoder:
    """Decoder with attention over the annotations [B, S, D] (RNNsearch).

    Args:
        rnn: `AttentionRNN` that attends before it updates its state.
    """

    def __init__(self, rnn):
        self.rnn = rnn

    def __call__(self, x, annotations, mask, s_0, training=None):
        """Returns outputs [B, T, n + D] and scores [B, T, S]."""
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
    """Decoder without attention, on the same source summary [B, n] at every step (RNNencdec).

    Args:
        rnn: `GatedRecurrentUnit` that returns sequences.
    """

    def __init__(self, rnn):
        self.rnn = rnn

    def __call__(self, x, summary, mask, s_0, training=None):
        """Returns outputs [B, T, 2n] and `None`."""
        # Not a sum: on TensorFlow Keras treats [1, T, 1] as a bias of [1, 1, n] if T = n.
        everywhere = ops.expand_dims(summary, 1) * ops.ones_like(x[..., :1])
        states = self.rnn(ops.concatenate([x, everywhere], axis=-1), initial_state=s_0)
        before = ops.concatenate([ops.expand_dims(s_0, 1), states[:, :-1]], axis=1)
        return ops.concatenate([before, everywhere], axis=-1), None

    def start(self, summary, mask, s_0):
        return {"summary": summary, "state": s_0}

    def step(self, x, cache):
        output = ops.concatenate([cache["state"], cache["summary"]], axis=-1)
        projected = self.rnn.cell.projection()(ops.concatenate([x, cache["summary"]], axis=-1))
        return output, {**cache, "state": self.rnn.cell.advance(projected, cache["state"])}
