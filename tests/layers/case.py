"""A case of the conformance suite."""

from dataclasses import dataclass, field


@dataclass(frozen=True)
class LayerCase:
    """What the conformance suite knows about a layer."""

    layer: type
    init: dict
    inputs: tuple  # one shape per call argument
    output: tuple  # its shape, or a tuple of those of several outputs
    weights: int  # number of trainable variables
    call: dict = field(default_factory=dict)
    name: str = ""  # of a second case of the same layer

    # With `return_attention_scores=True`: the shape, or nested shapes. `None`: the layer has no scores.
    scores: object = None
    # Whether the scores of a query sum to 1, not to at most 1. `None`: they are gates, each between 0 and 1.
    sums_to_one: bool | None = True
    # How many of the last axes of the scores are the keys.
    key_axes: int = 1
    # The padding masks, one per input, in the order of the inputs. Empty: the layer takes none.
    masks: tuple = ()
    # Arguments of `__init__` that enable dropout. Empty: the layer has none.
    dropout: dict = field(default_factory=dict)
    # Axes of the inputs whose length may be unknown.
    dynamic: tuple = (1,)
    # Lengths of these axes are multiples of this number.
    multiple: int = 1
    # Whether the output has no positions: one vector for all of them.
    pooled: bool = False
    # Inputs are integers below this number. `None`: they are floats. A tuple: one such for each input.
    below: int | tuple | None = None
    # Whether the output is a bias, which stays in float32 under mixed precision.
    full_precision: bool = False
    # Ends of the paths of weights that mathematically have no gradient.
    no_gradient: tuple = ()
    # Whether `quantize("int8")` finds projections in it.
    int8: bool = False
    # Arguments of `__init__` that are in the config, but not attributes of that name.
    hidden: tuple = ()
    # Of a layer that has keys: ends of the paths of those weights that, all zero, make every context zero. Empty: the
    # values are an input. `None`: the layer has no keys. `memory_values`: those of a second attention, to the memory.
    values: tuple | None = None
    memory_values: tuple = ()
    # Arguments of a call that make it causal. `None`: it is not. The tokens of the first input are in order, those of
    # all inputs if `all_in_order`.
    causal: dict | None = None
    all_in_order: bool = False
    # Whether [T, S] is part of the method: its scores are a recurrence, or [T, S] is in its equation.
    pairs: bool = False
    # Arguments of `__init__` for heads of size 1.
    narrow: dict = field(default_factory=dict)
    # Arguments of `__init__` for the long inputs of the test of memory use, where those of `init` are too small.
    long: dict = field(default_factory=dict)

    @property
    def positions(self):
        """Shape of the output up to the last of `dynamic`: its positions, or only the batch if it has none."""
        return self.output[:1] if self.pooled else self.output[: 1 + len(self.dynamic)]

    def __str__(self):
        return self.layer.__name__ + (f"-{self.name}" if self.name else "")
