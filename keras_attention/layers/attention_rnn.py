"""RNN layer with attention to a memory at every step."""

import keras
from keras import ops

from keras_attention.layers.bases.attention_step import AttentionStep, check_call
from keras_attention.layers.bases.recurrent_cells import CellInput
from keras_attention.ops.recurrence import recur
from keras_attention.ops.shapes.empty import fill_empty
from keras_attention.ops.shapes.padding import full_mask, zero_padding
from keras_attention.types import Nest, Tensor


@keras.saving.register_keras_serializable(package="keras_attention")
class AttentionRNN(AttentionStep):
    r"""RNN layer that attends to a memory at every step, with any Keras cell and any attention of this package.

    $$ h_t = \mathrm{cell}([x_t; f_{t-1}], h_{t-1}), \quad c_t = \mathrm{attend}(h_t), \quad
       \tilde{h}_t = g([h_t; c_t]) $$

    with `order="update_look"`: "Effective Approaches to Attention-based Neural Machine Translation"
    ([Luong et al., 2015](https://arxiv.org/abs/1508.04025)), where g is tanh(W_c [h; c]) and, with input feeding, f is
    the attentional vector of the previous step; and tensorflow-addons' `AttentionWrapper`, where g is linear or c
    itself.

    $$ c_t = \mathrm{attend}(s_{t-1}), \quad \tilde{h}_t = g([s_{t-1}; c_t]), \quad
       s_t = \mathrm{cell}([x_t; c_t], s_{t-1}) $$

    with `order="look_generate_update"`: "Neural Machine Translation by Jointly Learning
    to Align and Translate" ([Bahdanau et al., 2015](https://arxiv.org/abs/1409.0473)) in
    the order of its authors' code. Written out, with B batch, T steps, S positions of
    the memory:

        memory: keys and values of the memory, projected once
        loop:   one `step` for every t; projections that do not depend on the state are computed before it
        output: [B, T, F] = g([h; c]), g = `attentional_layer`
        scores: [B, T, S]

    The layer keeps no state between calls: the memory is an argument.

    Masking: `mask` and `memory_mask`, or the Keras masks of `inputs` and `memory`; the first is propagated with
    `return_sequences`. A padded step keeps the state and outputs zeros (`keras.layers.RNN` repeats the previous
    output). Padding does not count as a position of the window local_m of `LuongAttention`.

    Args:
        cell: Any cell of `keras.layers.RNN`, including `keras.layers.StackedRNNCells`. The query is the output of the
            (top) cell for `"update_look"`, and its first state for `"look_generate_update"`.
        attention: `BahdanauAttention`, `LuongAttention`, or another layer with their
            `project_memory`, `start` and `step`.
        order: `"update_look"` or `"look_generate_update"`.
        input_feeding: Whether the cell also reads the attentional vector of the previous step (zeros at the first);
            only for `"update_look"`.
        attentional_layer: Layer g from [h; c] to the attentional vector; `None` means
            [h; c] itself, `"context"` c alone.
        output_attention: Whether to output the attentional vector; otherwise the query h.
        return_sequences: Whether to return the output of every step instead of that of the last step that is not
            padding.
        return_state: Whether to also return the final state.
        **kwargs: `name`, `dtype` and the rest of `keras.layers.Layer`.

    Call arguments:
        inputs: [B, T, D].
        memory: [B, S, Dv].
        mask: [B, T]. True marks positions that take part.
        memory_mask: [B, S].
        memory_lengths: Integers [B], the length of each memory without padding; instead of the mask or with it.
        initial_state: The states of the cell, or the whole state as `return_state` returns it. `None` means the cell's
            initial state (zeros).
        return_attention_scores: Whether to also return the scores.
        training: Whether the cell applies dropout.
        inputs_mask: The same as `mask`: the name under which Keras passes the mask of `inputs`.

    Returns:
        `output`, or a tuple of it, the scores [B, T, S] with `return_attention_scores` and the state with
        `return_state`. The state is `{"cell": the cell's states, "attention": the attention's state, "fed": [B, F]}`,
        the last only with input feeding.

    Raises:
        ValueError: If a shape or an argument does not fit.

    Example:

    >>> from keras_attention.layers import AttentionRNN, BahdanauAttention, GatedRecurrentCell
    >>> rnn = AttentionRNN(GatedRecurrentCell(8), BahdanauAttention(6), order="look_generate_update")
    >>> output, scores = rnn(keras.Input((None, 5)), keras.Input((None, 16)), return_attention_scores=True)
    >>> output.shape, scores.shape
    ((None, None, 24), (None, None, None))
    """

    def call(
        self,
        inputs: Tensor,
        memory: Tensor,
        mask: Tensor | None = None,
        memory_mask: Tensor | None = None,
        memory_lengths: Tensor | None = None,
        initial_state: Nest | None = None,
        return_attention_scores: bool = False,
        training: bool | None = None,
        inputs_mask: Tensor | None = None,
    ) -> Nest:
        mask = inputs_mask if mask is None else mask
        check_call(inputs.shape, memory.shape, mask, memory_mask, memory_lengths)
        mask = full_mask(mask, ops.shape(inputs)[:2])
        memory = self.project_memory(memory, memory_mask, memory_lengths)
        state = self.start(memory, initial_state)
        written, state = self._run(zero_padding(inputs, mask), memory, state, mask, return_attention_scores, training)
        output = zero_padding(self._output(written, training), mask)
        if not self.return_sequences:
            output = _last(output, mask)
        result = (output,)
        result += (written["scores"],) if return_attention_scores else ()
        result += (state,) if self.return_state else ()
        return result if len(result) > 1 else output

    def compute_output_shape(self, inputs_shape, memory_shape):
        check_call(inputs_shape, memory_shape)
        if self.return_state:
            return self._trace_shapes(inputs_shape, memory_shape)
        B, T, _ = inputs_shape
        size = self._find_attentional_size(B, memory_shape[-1]) if self.output_attention else self._query_size
        return (B, T, size) if self.return_sequences else (B, size)

    def compute_output_spec(
        self,
        inputs,
        memory,
        mask=None,
        memory_mask=None,
        memory_lengths=None,
        initial_state=None,
        return_attention_scores=False,
        training=None,
        inputs_mask=None,
    ):
        mask = inputs_mask if mask is None else mask
        check_call(inputs.shape, memory.shape, mask, memory_mask, memory_lengths)
        if self.return_state:  # its shapes depend on the cell and the attention: traced
            arguments = (mask, memory_mask, memory_lengths, initial_state, return_attention_scores, training)
            return keras.Operation.compute_output_spec(self, inputs, memory, *arguments)
        shape = self.compute_output_shape(inputs.shape, memory.shape)
        output = keras.KerasTensor(shape, dtype=self.compute_dtype)
        if not return_attention_scores:
            return output
        return output, keras.KerasTensor((*inputs.shape[:2], memory.shape[1]), dtype=self.compute_dtype)

    def compute_mask(self, inputs, mask=None):
        return mask if self.return_sequences else None

    def _trace_shapes(self, inputs_shape, memory_shape):
        """The shapes of the output and of the state of any cell and any attention."""
        layer = self
        if not self.built:
            layer = type(self).from_config(self.get_config())
            layer.build(inputs_shape, memory_shape)
        tensors = (keras.KerasTensor(shape, dtype=self.compute_dtype) for shape in (inputs_shape, memory_shape))
        return keras.tree.map_structure(lambda x: tuple(x.shape), layer.compute_output_spec(*tensors))

    def _run(self, inputs, memory, state, mask, return_scores, training):
        """All steps: their outputs, {name: [B, T, ...]}, and the final state."""
        one = ops.zeros((ops.shape(inputs)[0], inputs.shape[-1]), dtype=inputs.dtype)
        with self._dropout_masks(one, state, training):
            cell = CellInput(self.cell, self._input_size, training)
            # The cell's projection of c is the weighted sum of its projections of the values, which need no loop.
            ahead = self._looks_first and cell.splits
            looked_at = {**memory, "value": cell.later(memory["value"])} if ahead else memory
            keep = {"query", "scores"} if ahead else {"scores"} if return_scores else set()
            keep |= ({"attentional"} if self.output_attention else {"query"}) if self.input_feeding else {"query"}
            keep |= set() if self.input_feeding or ahead or not self.output_attention else {"context"}

            def step(state, x):
                written, state = self._advance(x, state, cell, looked_at, training, ahead)
                return {name: written[name] for name in keep}, state

            blank = {name: x for name, x in self._blank(memory).items() if name in keep}
            written, state = recur(step, state, blank, cell.prepare(inputs), mask)
        if ahead:
            written["context"] = ops.matmul(written["scores"], self._cast(memory["value"]))
        return written, state

    def _blank(self, memory):
        """Zeros in the shapes of the outputs of a step."""
        mask = ops.zeros_like(memory["mask"], dtype=self.compute_dtype)
        sizes = {"query": self._query_size, "context": self._context_size, "attentional": self._attentional_size}
        zeros = {name: ops.zeros((ops.shape(mask)[0], size), dtype=self.compute_dtype) for name, size in sizes.items()}
        return {**zeros, "scores": mask}


def _last(output, mask):
    """[B, T, F] -> [B, F]: the last step that is not padding; zeros if there is none."""
    output, mask = fill_empty(output, 1), None if mask is None else fill_empty(mask, 1)
    if mask is None:
        return output[:, -1]
    steps = ops.arange(ops.shape(mask)[1], dtype="int32")
    last = steps == ops.max(ops.where(mask, steps, 0), axis=1, keepdims=True)
    return ops.sum(ops.where(ops.expand_dims(last, -1), output, ops.zeros_like(output)), axis=1)
