"""Base class of attention for recurrent networks."""

import keras
from keras import ops

from keras_attention.layers.bases.adapters import AdaptsProjections
from keras_attention.layers.bases.arguments import standardize
from keras_attention.layers.bases.base_layer import BaseLayer
from keras_attention.layers.bases.checks import check_lengths, check_padding, check_sequences, check_visibility
from keras_attention.ops import require_boolean
from keras_attention.ops.masks import both
from keras_attention.ops.shapes.padding import padding_masks, zero_padding
from keras_attention.types import MaybeScores, Tensor


class MemoryAttention(AdaptsProjections, BaseLayer):
    """Base class of attention of queries [B, T, Dq] to a memory [B, S, Dv], all at once or step by step.

    A subclass creates its weights in `build` and defines

        _project_key(key)                                    [B, S, Dk] -> [B, S, U]
        _attend(query, memory, query_mask, mask, scores)     context [B, T, Dv] (, scores [B, T, S])

    and, if a step depends on previous ones, `start`, `_attend_all` and `step`.
    """

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.supports_masking = True

    @classmethod
    def from_config(cls, config, **kwargs):
        # Keras's `.h5` reader resolves the string "dot" to the function `keras.layers.dot`.
        named = {key: "dot" if value is keras.layers.dot else value for key, value in config.items()}
        return super().from_config(named, **kwargs)

    def call(
        self,
        query: Tensor,
        value: Tensor,
        key: Tensor | None = None,
        query_mask: Tensor | None = None,
        value_mask: Tensor | None = None,
        key_mask: Tensor | None = None,
        attention_mask: Tensor | None = None,
        return_attention_scores: bool = False,
        training: bool | None = None,
    ) -> MaybeScores:
        self._check(query, value, key, query_mask, value_mask, key_mask, attention_mask)
        given = (ops.shape(query)[:2], ops.shape(value)[:2], query_mask, value_mask, key_mask)
        positions = self._positions(*padding_masks(*given))
        query_mask, mask = padding_masks(*given, attention_mask)
        memory = {**self._project(value, key, mask), **positions}
        query = zero_padding(query, query_mask)
        visible = require_boolean(attention_mask)
        result = self._attend_all(query, memory, query_mask, visible, return_attention_scores, training)
        return keras.tree.map_structure(lambda x: ops.cast(x, self.compute_dtype), result)

    def compute_output_spec(self, *args, **kwargs):
        given = self._call_arguments(*args, **kwargs)
        scored = given.pop("return_attention_scores")
        del given["training"]
        query, scores = given["query"], self._check(**given)
        context = keras.KerasTensor((*query.shape[:2], given["value"].shape[-1]), dtype=self.compute_dtype)
        return (context, keras.KerasTensor(scores, dtype=self.compute_dtype)) if scored else context

    def compute_output_shape(self, query_shape, value_shape, key_shape=None):
        self._check_shapes(query_shape, value_shape, key_shape)
        return (*query_shape[:-1], value_shape[-1])

    def project_memory(
        self, value: Tensor, key: Tensor | None = None, mask: Tensor | None = None, lengths: Tensor | None = None
    ) -> dict[str, Tensor]:
        """Projects a memory once, for all steps.

        Args:
            value: [B, S, Dv].
            key: [B, S, Dk]; `None` means `value`.
            mask: [B, S]. True marks positions that take part; `None` means the Keras mask of `value`, or `lengths`.
            lengths: Integers [B], the lengths without padding.

        Returns:
            {"key": [B, S, U], "value": [B, S, Dv], "mask": boolean [B, S]}, and further tensors of the subclass.
        """
        self._require_built("project_memory")
        value = ops.convert_to_tensor(value)
        self._check_widths({"value": value, "key": key})
        mask = memory_mask(value, mask, lengths)
        self._require_lengths(mask)
        self._check_shapes((value.shape[0], None, self._query_size()), tuple(value.shape), _shape(key))
        memory = {**self._project(value, key, mask), **self._positions(None, mask)}
        everything = ops.ones(ops.shape(value)[:2], dtype="bool")
        return {**memory, "mask": everything if mask is None else mask}

    def start(self, memory):
        """Returns the initial state: `()`, as steps do not depend on each other."""
        self._require_built("start")
        return ()

    def step(self, query, memory, state, training=None):
        """Attends with one query per sample.

        Args:
            query: [B, Dq].
            memory: What `project_memory` returned.
            state: What `start` or the previous step returned.
            training: As in `call`.

        Returns:
            context [B, Dv], scores [B, S] and the new state.
        """
        self._require_built("step")
        context, scores = self._attend(self._query(query), memory, None, None, True)
        return self._cast(context[:, 0]), self._cast(scores[:, 0]), state

    def _attend_all(self, query, memory, query_mask, mask, scores, training):
        """Attends with all queries [B, T, Dq]; context [B, T, Dv], or with the scores [B, T, S]."""
        return self._attend(query, memory, query_mask, mask, scores)

    def _positions(self, queries, keys):
        """What a subclass adds to `memory` from the padding masks: {name: [B, ...]}.

        Args:
            queries, keys: Boolean [B, T] and [B, S], or `None`. True marks positions that take part.
        """
        return {}

    def _project(self, value, key, mask):
        padded = zero_padding(self._cast(value), mask)
        key = padded if key is None else zero_padding(self._cast(key), mask)
        return {"key": self._project_key(key), "value": padded, "mask": mask}

    def _query(self, query):
        """[B, Dq] -> [B, 1, Dq]."""
        query = ops.convert_to_tensor(query)
        if len(query.shape) != 2 or query.shape[-1] != self._query_size():
            raise ValueError(
                f"`query` of a step must be [B, {self._query_size()}]. Received: query.shape={tuple(query.shape)}"
            )
        return ops.expand_dims(self._cast(query), 1)

    def _cast(self, x):
        return ops.cast(ops.convert_to_tensor(x), self.compute_dtype)

    def _score_dtype(self):
        """The dtype of scores between steps: float32, or float64 if that is the compute dtype."""
        return keras.backend.result_type(self.compute_dtype, "float32")

    def _query_size(self):
        return self._sizes[0]

    def _set_sizes(self, query_shape, value_shape, key_shape):
        """Checks the shapes passed to `build`; returns the sizes of queries and keys."""
        self._check_shapes(query_shape, value_shape, key_shape)
        self._sizes = (query_shape[-1], (value_shape if key_shape is None else key_shape)[-1])
        return self._sizes

    def _require_lengths(self, mask):
        """Raises for a memory without a mask if a subclass needs its lengths."""

    def _check_shapes(self, query, value, key):
        """Raises for wrong shapes, naming the argument; a subclass may add checks."""
        for name, shape in (("query", query), ("value", value), ("key", key)):
            if shape is not None and (len(shape) != 3 or shape[-1] is None):
                letters = "[B, T, Dq]" if name == "query" else "[B, S, D]"
                raise ValueError(
                    f"`{name}` must be {letters} with a known last axis. Received: {name}.shape={tuple(shape)}"
                )
        check_sequences(query, value, key, (1,))

    def _check(self, query, value, key, query_mask, value_mask, key_mask, attention_mask):
        """Raises for wrong shapes and masks, naming the argument. Returns the static shape of the scores [B, T, S]."""
        self._require_lengths(key_mask if value_mask is None else value_mask)
        self._check_shapes(*(_shape(x) for x in (query, value, key)))
        if attention_mask is not None and len(attention_mask.shape) > 3:
            raise ValueError(
                "`attention_mask` must be [T, S] or [B, T, S]. "
                f"Received: attention_mask.shape={tuple(attention_mask.shape)}"
            )
        masks = {"query_mask": query_mask, "value_mask": value_mask, "key_mask": key_mask}
        check_visibility(masks, attention_mask, None, 1, (1,), tuple(query.shape[:2]), tuple(value.shape[:2]))
        return (*query.shape[:2], value.shape[1])

    def _projections(self):
        """The dense sublayers, for LoRA and quantization."""
        return [x for x in (self.query_dense, self.key_dense) if x is not None]


def memory_mask(value, mask, lengths):
    """The boolean mask [B, S] of a memory from its mask or its lengths; `None` if nothing is padding."""
    mask = standardize(mask, "mask")
    if mask is not None and lengths is not None:
        raise ValueError("Pass the `mask` of the memory or its `lengths`, not both. Received: both")
    if lengths is not None:
        lengths = ops.convert_to_tensor(lengths)
        check_lengths(lengths, "lengths", value.shape, "value")
        return ops.arange(ops.shape(value)[1], dtype="int32") < ops.expand_dims(ops.cast(lengths, "int32"), 1)
    mask = getattr(value, "_keras_mask", None) if mask is None else mask
    check_padding(mask, "mask", value.shape[:2], "the memory")
    return require_boolean(mask, "mask")


def require_equal_sizes(query, value, key):
    """Raises unless queries and keys have the same size."""
    if query[-1] != (value if key is None else key)[-1]:
        raise ValueError(
            'score="dot" needs queries and keys of the same size; score="general" takes any sizes. '
            f"Received: query.shape={query}, value.shape={value}, key.shape={key}"
        )


def see(query, memory, query_mask, mask):
    """Which keys are visible to each query, boolean [B, T, S]."""
    mask = mask if mask is None or len(mask.shape) == 3 else ops.expand_dims(mask, 0)
    visible = both(mask, None if memory["mask"] is None else ops.expand_dims(memory["mask"], 1))
    visible = both(visible, None if query_mask is None else ops.expand_dims(query_mask, -1))
    shape = (*ops.shape(query)[:2], ops.shape(memory["value"])[1])
    return ops.ones(shape, dtype="bool") if visible is None else ops.broadcast_to(visible, shape)


def mix_all(probs, memory):
    """Context [B, T, Dv] of float32 scores [B, T, S], in the dtype of the memory."""
    context = ops.matmul(probs, ops.cast(memory["value"], probs.dtype))
    return ops.cast(context, memory["value"].dtype)


def mix_one(probs, memory):
    """Context [B, Dv] of float32 scores [B, S]."""
    return mix_all(ops.expand_dims(probs, 1), memory)[:, 0]


def project(layer, queries):
    """A dense layer on queries [B, T, D]; a single one as [B, D].

    TensorFlow's product of three axes has no gradient in a loop under XLA if the batch is not known.
    """
    return ops.expand_dims(layer(queries[:, 0]), 1) if queries.shape[1] == 1 else layer(queries)


def dense(size, units, name, initializer, policy):
    """A built projection [.., size] -> [.., units] without bias."""
    layer = keras.layers.Dense(units, use_bias=False, kernel_initializer=initializer, dtype=policy, name=name)
    layer.build((None, None, size))
    return layer


def _shape(x):
    return None if x is None else tuple(x.shape)
