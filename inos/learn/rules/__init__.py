"""A rule writes an operation in integers, and says how an error goes back through it."""

from inos.learn.rules import activations, arithmetic, attention, convolutions, layers, norms, shapes

ROOMS = (activations, arithmetic, attention, convolutions, layers, norms, shapes)
"""The modules that register rules."""
