"""Base class of `AttentionRNN`: a single step."""

from typing import Unpack

import keras
from keras import ops

from keras_attention.layers.bases.arguments import standardize
from keras_attention.layers.bases.base_layer import BaseLayer
from keras_attention.layers.bases.checks import check_lengths, check_padding
from keras_attention.layers.bases.memory_attention import memory_mask
from keras_attention.layers.bases.recurrent_cells import (
    CellInput,
    dropout_masks,
    first_state,
    initial_states,
    output_size,
    pack_states,
    require_cell,
)
from keras_attention.ops import require_boolean
from keras_attention.ops.masks import both
from keras_attention.ops.require import require_bool, require_choice
from keras_attention.types import LayerOptions, Nest, Tensor

ORDERS = ("update_look", "look_generate_update")
PROTOCOL = ("project_memory", "start", "step")


class AttentionStep(BaseLayer):
    """Base class of `AttentionRNN` with a single step, without the loop; see there for the arguments."""

    def __init__(
        self,
        cell: keras.Layer,
        attention: keras.Layer,
        order: str = "update_look",
        input_feeding: bool = False,
        attentional_layer: keras.Layer | str | None = None,
        output_attention: bool = True,
        return_sequences: bool = True,
        return_state: bool = False,
        **kwargs: Unpack[LayerOptions],
    ) -> None:
        super().__init__(**kwargs)
        self.cell = require_cell(cell)
        self.attention = require_attention(attention)
        self.order = order
        self.input_feeding = require_bool(input_feeding, "input_feeding")
        self.attentional_layer = require_options(order, input_feeding, attentional_layer)
        self.output_attention = require_bool(output_attention, "output_attention")
        self.return_sequences = require_bool(return_sequences, "return_sequences")
        self.return_state = require_bool(return_state, "return_state")
        self.supports_masking = True

    def build(self, inputs_shape, memory_shape):
        check_call(inputs_shape, memory_shape)
        B, T, D = inputs_shape
        self._context_size = memory_shape[-1]
        self._attentional_size = self._build_attentional_layer(B)
        fed = self._context_size if self._looks_first else self._attentional_size if self.input_feeding else 0
        self._input_size = D
        for layer, shapes in (
            (self.cell, [(B, D + fed)]),
            (self.attention, [(B, T, self._query_size), tuple(memory_shape)]),
        ):
            if not getattr(layer, "built", True):
                layer.build(*shapes)

    @property
    def _looks_first(self):
        return self.order == "look_generate_update"

    @property
    def _query_size(self):
        return first_state(self.cell, self.cell.state_size) if self._looks_first else output_size(self.cell)

    def get_config(self):
        serialize = keras.saving.serialize_keras_object
        layer = self.attentional_layer
        return {
            **super().get_config(),
            "cell": serialize(self.cell),
            "attention": serialize(self.attention),
            "order": self.order,
            "input_feeding": self.input_feeding,
            "attentional_layer": serialize(layer) if isinstance(layer, keras.layers.Layer) else layer,
            "output_attention": self.output_attention,
            "return_sequences": self.return_sequences,
            "return_state": self.return_state,
        }

    def project_memory(
        self, memory: Tensor, mask: Tensor | None = None, lengths: Tensor | None = None
    ) -> dict[str, Tensor]:
        """Projects a memory once, for all steps.

        Args:
            memory: [B, S, Dv].
            mask: [B, S]. True marks positions that take part.
            lengths: Integers [B], the lengths without padding; instead of the mask or with it.

        Returns:
            The attention's memory: a dict of tensors, batch first.
        """
        self._require_built("project_memory")
        memory, mask = ops.convert_to_tensor(memory), standardize(mask, "mask")
        if lengths is not None:
            mask = both(require_boolean(mask, "mask"), memory_mask(memory, None, lengths))
        return self.attention.project_memory(memory, mask=mask)

    def start(self, memory: Nest, initial_state: Nest | None = None) -> Nest:
        """Returns the initial state.

        Args:
            memory: What `project_memory` returned.
            initial_state: As in `call`.

        Returns:
            A nest of tensors, batch first.
        """
        self._require_built("start")
        batch = ops.shape(memory["mask"])[0]
        state = {"cell": initial_states(self.cell, batch), "attention": self.attention.start(memory)}
        if self.input_feeding:
            state["fed"] = ops.zeros((batch, self._attentional_size), dtype=self.compute_dtype)
        if isinstance(initial_state, dict):
            return pack_states(initial_state, state)
        return state if initial_state is None else {**state, "cell": pack_states(initial_state, state["cell"])}

    def step(
        self, inputs: Tensor, memory: Nest, state: Nest, training: bool | None = None
    ) -> tuple[Tensor, Tensor, Nest]:
        """Runs one step: the same as `call` on one position.

        Args:
            inputs: [B, D].
            memory: What `project_memory` returned.
            state: What `start` or the previous step returned.
            training: As in `call`.

        Returns:
            The output [B, F], the scores [B, S] and the new state.
        """
        self._require_built("step")
        inputs = ops.cast(ops.convert_to_tensor(inputs), self.compute_dtype)
        if len(inputs.shape) != 2 or inputs.shape[-1] != self._input_size:
            raise ValueError(
                f"`inputs` of a step must be [B, {self._input_size}]. Received: inputs.shape={tuple(inputs.shape)}"
            )
        with self._dropout_masks(inputs, state, training):
            cell = CellInput(self.cell, self._input_size, training)
            written, state = self._advance(cell.prepare(inputs), state, cell, memory, training)
        return self._output(written, training), self._cast(written["scores"]), state

    def _advance(self, x, state, cell, memory, training, ahead=False):
        """One step: its outputs, {name: [B, ...]}, and the new state."""
        if self._looks_first:
            query = first_state(self.cell, state["cell"])
            context, scores, looked = self.attention.step(query, memory, state["attention"], training=training)
            _, states = (cell.advance if ahead else cell)(x, context, state["cell"])
            return {"query": query, "context": context, "scores": scores}, {"cell": states, "attention": looked}
        query, states = cell(x, state.get("fed"), state["cell"])
        context, scores, looked = self.attention.step(query, memory, state["attention"], training=training)
        written, state = {"query": query, "context": context, "scores": scores}, {"cell": states, "attention": looked}
        if self.input_feeding:
            written["attentional"] = state["fed"] = self._attentional(query, context, training)
        return written, state

    def _output(self, written, training):
        if not self.output_attention:
            return self._cast(written["query"])
        if "attentional" in written:
            return written["attentional"]
        query, context = written["query"], written["context"]
        # One step or all steps at once, flattened to rows: the layer is built for rank 2.
        rows = self._attentional(*(ops.reshape(x, (-1, x.shape[-1])) for x in (query, context)), training)
        return ops.reshape(rows, (*ops.shape(query)[:-1], rows.shape[-1]))

    def _attentional(self, query, context, training):
        """g([h; c])."""
        if self.attentional_layer == "context":
            return self._cast(context)
        both = ops.concatenate([self._cast(query), self._cast(context)], axis=-1)
        return both if self.attentional_layer is None else self._cast(self.attentional_layer(both, training=training))

    def _build_attentional_layer(self, batch):
        if isinstance(self.attentional_layer, keras.layers.Layer) and not self.attentional_layer.built:
            self.attentional_layer.build((None, self._query_size + self._context_size))
        return self._find_attentional_size(batch, self._context_size)

    def _find_attentional_size(self, batch, context_size):
        if self.attentional_layer == "context":
            return context_size
        shape = (batch, self._query_size + context_size)
        return (shape if self.attentional_layer is None else self.attentional_layer.compute_output_shape(shape))[-1]

    def _dropout_masks(self, inputs, state, training):
        fed = state.get("fed")
        if self._looks_first:
            fed = ops.zeros((ops.shape(inputs)[0], self._context_size), dtype=inputs.dtype)
        inputs = inputs if fed is None else ops.concatenate([inputs, ops.cast(fed, inputs.dtype)], axis=-1)
        return dropout_masks(self.cell, inputs, state["cell"], training)

    def _cast(self, x):
        return ops.cast(x, self.compute_dtype)


def require_options(order, input_feeding, attentional_layer):
    """Raises unless `order` and `input_feeding` are valid. Returns the attentional layer, deserialized if a config."""
    require_choice(order, "order", ORDERS)
    if input_feeding and order != "update_look":
        raise ValueError(
            "`input_feeding` goes with `order='update_look'`: with 'look_generate_update' the cell reads the context "
            f"of its own step. Received: input_feeding={input_feeding!r}, order={order!r}"
        )
    layer = attentional_layer
    if isinstance(layer, dict):
        layer = keras.saving.deserialize_keras_object(layer)
    if not (layer is None or layer == "context" or isinstance(layer, keras.layers.Layer)):
        raise ValueError(
            f"`attentional_layer` must be a Keras layer, 'context' or `None`. Received: attentional_layer={layer!r}"
        )
    return layer


def require_attention(attention):
    """Returns `attention`, deserialized if a config; raises unless it has `project_memory`, `start` and `step`."""
    if isinstance(attention, dict):
        attention = keras.saving.deserialize_keras_object(attention)
    missing = [name for name in PROTOCOL if not callable(getattr(attention, name, None))]
    if missing:
        raise ValueError(
            "`attention` must be a memory attention layer, such as `BahdanauAttention` or "
            f"`LuongAttention`, with {', '.join(PROTOCOL)}. Received: attention={attention!r}, without "
            f"{', '.join(missing)}"
        )
    return attention


def check_call(inputs, memory, mask=None, memory_mask=None, memory_lengths=None):
    """Raises unless inputs are [B, T, D], memory is [B, S, Dv], and masks and lengths fit.

    Args:
        inputs, memory: Shapes, `None` where unknown.
        mask, memory_mask, memory_lengths: Tensors or `None`.
    """
    inputs, memory = tuple(inputs), tuple(memory)
    for name, shape, letters in (("inputs", inputs, "[B, T, D]"), ("memory", memory, "[B, S, Dv]")):
        if len(shape) != 3 or shape[-1] is None:
            raise ValueError(f"`{name}` must be {letters} with a known last axis. Received: {name}.shape={shape}")
    if None not in (inputs[0], memory[0]) and inputs[0] != memory[0]:
        raise ValueError(
            "`inputs` and `memory` must have the same batch size. "
            f"Received: inputs.shape={inputs}, memory.shape={memory}"
        )
    check_padding(mask, "mask", inputs[:2], "the inputs")
    check_padding(memory_mask, "memory_mask", memory[:2], "the memory")
    if memory_lengths is not None:
        check_lengths(memory_lengths, "memory_lengths", memory, "memory")
