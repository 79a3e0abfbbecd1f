"""What layers and models cost: multiply-adds, parameters, sequential steps, path lengths, memory."""

from keras_attention.analyze.calls import Call
from keras_attention.analyze.comparison import Comparison, Row, compare
from keras_attention.analyze.cost import Cost
from keras_attention.analyze.layer_cost import complexity
from keras_attention.analyze.plot import plot_costs
from keras_attention.analyze.registry import register

__all__ = ["Call", "Comparison", "Cost", "Row", "compare", "complexity", "plot_costs", "register"]
