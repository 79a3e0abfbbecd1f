"""Axes, sizes and padding of tensors; no attention."""
