"""Base class of local self-attention."""

import keras
from keras import ops

from keras_attention.layers.bases.checks import check_padding, require_batch_size
from keras_attention.layers.bases.projections import ProjectsHeads
from keras_attention.ops import block_local
from keras_attention.ops.block_local.cache import attend_cached
from keras_attention.ops.paths.chosen_queries import chosen_dims, require_queries
from keras_attention.ops.require import require_bool, require_int, require_rate, require_seed
from keras_attention.ops.runtime.replicas import next_seed
from keras_attention.ops.shapes.known import known_values
from keras_attention.ops.shapes.padding import full_mask, zero_padding
from keras_attention.types import Nest, Tensor


class LocalAttention(ProjectsHeads):
    """Base class of local self-attention over a sequence or an image, flattened to [B, positions, D].

    A subclass names the axes of its inputs (`AXES`), converts its arguments to `Blocks`, and defines
    `_rows_and_columns`.
    """

    AXES = ()

    def __init__(self, num_heads, key_dim, causal, value_dim, dropout, seed, **kwargs):
        super().__init__(use_gate=False, projection_activity_regularizer=None, **kwargs)
        self.num_heads = require_int(num_heads, "num_heads")
        self.key_dim = require_int(key_dim, "key_dim")
        self.value_dim = require_int(value_dim, "value_dim", optional=True) or self.key_dim
        self.num_key_value_heads = self.num_heads
        self.causal = require_bool(causal, "causal")
        self.dropout = require_rate(dropout, "dropout")
        self.seed = require_seed(seed)
        self.supports_masking = True
        if dropout:
            self._seeds = keras.random.SeedGenerator(seed)

    def build(self, input_shape):
        self._check_shape(input_shape)
        flat = (input_shape[0], None, input_shape[-1])
        self._build_projections(flat, flat, flat, (input_shape[-1],))

    def call(
        self,
        inputs: Tensor,
        mask: Tensor | None = None,
        return_attention_scores: bool = False,
        cache: Nest | None = None,
        cache_index: int | Tensor | None = None,
        training: bool | None = None,
        score_queries: Tensor | None = None,
    ) -> Nest:
        self._check(inputs, mask, cache, cache_index, scores=return_attention_scores)
        chosen = require_queries(score_queries, inputs.shape[1:-1])
        dims = ops.shape(inputs)[:-1]
        mask = full_mask(mask, dims)
        if cache is not None:
            return self._step(zero_padding(inputs, mask), mask, cache, cache_index)
        rows, columns = self._rows_and_columns(dims)
        flat = ops.reshape(zero_padding(inputs, mask), (dims[0], rows * columns, inputs.shape[-1]))
        dropout = self.dropout if training else 0.0
        result = block_local.attend(
            *(ops.reshape(x, (dims[0], rows, columns, *x.shape[-2:])) for x in self._heads(flat)),
            self._blocks,
            mask=None if mask is None else ops.reshape(mask, (dims[0], rows, columns)),
            dropout=dropout,
            seed=next_seed(self._seeds) if dropout else None,
            return_scores=return_attention_scores,
            chosen=chosen,
        )
        context, *scores = result if return_attention_scores else (result,)
        context = ops.reshape(context, (dims[0], rows * columns, *context.shape[-2:]))
        output = ops.reshape(self._output_dense(context), ops.shape(inputs))
        if not return_attention_scores:
            return output
        rows = dims[1:] if chosen is None else chosen.shape
        return output, ops.reshape(scores[0], (dims[0], self.num_heads, *rows, *dims[1:]))

    def compute_output_spec(self, *args, **kwargs):
        given = self._call_arguments(*args, **kwargs)
        scored = given.pop("return_attention_scores")
        score_queries = given.pop("score_queries")
        del given["training"]
        inputs, cache = given["inputs"], given["cache"]
        self._check(**given, scores=scored)
        output = keras.KerasTensor(inputs.shape, dtype=self.compute_dtype)
        if cache is not None:
            return output, {name: keras.KerasTensor(x.shape, dtype=x.dtype) for name, x in cache.items()}
        if not scored:
            return output
        positions = inputs.shape[1:-1]
        scores = (inputs.shape[0], self.num_heads, *positions, *positions)
        scores = chosen_dims(scores, score_queries, len(positions))
        return output, keras.KerasTensor(scores, dtype=self.compute_dtype)

    def compute_output_shape(self, input_shape):
        self._check_shape(input_shape)
        return input_shape

    def get_config(self):
        config = super().get_config()
        del config["use_gate"]  # not an argument of this layer
        return {
            **config,
            "num_heads": self.num_heads,
            "key_dim": self.key_dim,
            "causal": self.causal,
            "value_dim": self.value_dim,
            "dropout": self.dropout,
            "seed": self.seed,
            "activity_regularizer": keras.regularizers.serialize(self.activity_regularizer),
        }

    def _heads(self, flat):
        """Queries, keys and values [B, positions, N, H or V]."""
        return [project(flat) for project in (self._query_dense, self._key_dense, self._value_dense)]

    def _step(self, inputs, mask, cache, index):
        """The output and the cache after new positions [B, t, D], in generation order."""
        mask = ops.ones(ops.shape(inputs)[:2], dtype="bool") if mask is None else mask
        rows = dict(zip(("query", "key", "value"), self._heads(inputs)), mask=mask)
        context, cache = attend_cached(rows, cache, index, self._blocks, lambda i: self._coordinates(i, cache))
        return self._output_dense(context), cache

    def _empty_cache(self, batch_size, rows, columns):
        require_batch_size(batch_size)
        dims = (batch_size, rows, columns)
        return {
            "key": ops.zeros((*dims, self.num_heads, self.key_dim), dtype=self.compute_dtype),
            "value": ops.zeros((*dims, self.num_heads, self.value_dim), dtype=self.compute_dtype),
            "mask": ops.zeros(dims, dtype="bool"),
        }

    def _check(self, inputs, mask, cache, cache_index, scores):
        if cache is None:
            self._check_shape(inputs.shape)
        else:
            self._check_cache(inputs, scores, cache, cache_index)
        if cache is None and cache_index is not None:
            raise ValueError(
                "`cache_index` needs a `cache`, which `make_cache` returns. "
                f"Received: cache=None, cache_index={cache_index!r}"
            )
        check_padding(mask, "mask", tuple(inputs.shape[:-1]), "the inputs")

    def _check_cache(self, inputs, scores, cache, index):
        if not self.causal:
            raise ValueError(
                "A `cache` needs `causal=True`: no position may attend to one that is not yet generated. "
                f"Received: causal={self.causal}"
            )
        if index is None or scores:
            raise ValueError(
                "With a `cache`, `cache_index` must be given, and there are no scores to return. "
                f"Received: cache_index={index!r}, return_attention_scores={scores}"
            )
        if len(inputs.shape) != 3 or inputs.shape[-1] is None:
            raise ValueError(
                "With a `cache`, `inputs` must be [B, positions, D], in generation order. "
                f"Received: inputs.shape={tuple(inputs.shape)}"
            )
        if not hasattr(cache, "keys") or set(cache.keys()) != {"key", "value", "mask"}:
            raise ValueError(f"`cache` must be what `make_cache` returned. Received: cache={cache!r}")
        room = self._room(cache)
        known = known_values(index)
        if known is None:
            return
        if known.shape != () or known.dtype.kind not in "iu":
            raise ValueError(
                f"`cache_index` must be an int or a scalar integer tensor. Received: cache_index={index!r}"
            )
        count = 1 if inputs.shape[1] is None else inputs.shape[1]
        if not (known >= 0 and (room is None or known + count <= room)):
            raise ValueError(
                f"The cache has room for positions 0 to {room} (exclusive). "
                f"Received: cache_index={index}, and {inputs.shape[1]} positions to write"
            )

    def _check_shape(self, shape):
        if len(shape) != len(self.AXES) + 2 or shape[-1] is None:
            axes = ", ".join(("B", *self.AXES, "D"))
            raise ValueError(f"`inputs` must be [{axes}] with a known D. Received: inputs.shape={tuple(shape)}")
