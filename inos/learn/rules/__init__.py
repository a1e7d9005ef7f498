"""The rules of operations: how each is written in integers, and how an error goes back through it."""

from inos.learn.rules import activations, arithmetic, layers, shapes

ROOMS = (activations, arithmetic, layers, shapes)
"""The modules that register rules."""
