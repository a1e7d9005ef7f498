"""A miner who wants tickets and not the product: how fast could he be?

`kernel` compiles the engine's kernels together with `csrc/cheat.h` and draws tickets by them, `strategies` are the
ways of cheating, `measure` times them against an honest miner. Nothing here is installed with the package.
"""
