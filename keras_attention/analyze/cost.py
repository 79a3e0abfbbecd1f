"""What one forward pass of a layer costs."""

import dataclasses
import math
from typing import Self


@dataclasses.dataclass(frozen=True)
class Cost:
    """Cost of one forward pass; costs of layers that are called one after the other add up.

    Multiply-adds, parameters, sequential steps and bytes are summed; the longest path is the shorter of the two, as a
    signal takes the layer that carries it farther.

    Args:
        multiply_adds: Those of matrix products, convolutions and weighted sums. Elementwise operations (activations,
            normalization, residual sums, softmax) are not counted.
        parameters: Number of parameters, of shared layers once.
        sequential_steps: Operations that wait for one another: T of a recurrence, 1 of a layer that computes all
            positions at once, 0 of an elementwise one. Layers that could run side by side count one after the other.
        longest_path: How many such layers in a row a signal needs between the two positions farthest apart ("maximum
            path length" of "Attention Is All You Need", Table 1); `inf` where positions never meet.
        activation_bytes: Bytes of the outputs of all inner layers, of the states of recurrences and of the attention
            probabilities where they are held as a whole: what a training step keeps. Other temporary results are not
            counted.

    Example:

    >>> Cost(multiply_adds=6, sequential_steps=1, longest_path=3.0) + Cost(multiply_adds=4, sequential_steps=1)
    Cost(multiply_adds=10, parameters=0, sequential_steps=2, longest_path=3.0, activation_bytes=0)
    """

    multiply_adds: int = 0
    parameters: int = 0
    sequential_steps: int = 0
    longest_path: float = math.inf
    activation_bytes: int = 0

    def __add__(self, other):
        if not isinstance(other, Cost):
            return NotImplemented
        return Cost(
            self.multiply_adds + other.multiply_adds,
            self.parameters + other.parameters,
            self.sequential_steps + other.sequential_steps,
            min(self.longest_path, other.longest_path),
            self.activation_bytes + other.activation_bytes,
        )

    def times(self, number: int) -> Self:
        """The cost of `number` calls that wait for one another.

        Args:
            number: Number of calls.

        Returns:
            `Cost`, with the parameters counted once.
        """
        return dataclasses.replace(
            self,
            multiply_adds=self.multiply_adds * number,
            sequential_steps=self.sequential_steps * number,
            activation_bytes=self.activation_bytes * number,
        )
