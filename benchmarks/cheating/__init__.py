"""Cheating miners, which want tickets and not the product, and what they gain.

`kernel` compiles the engine's kernels together with `csrc/cheat.h` and draws tickets with them. `strategies` has the
cheats, and `measure` times them against an honest miner. The wheel does not contain this package.
"""
