"""Links are made by `websocket` with `noise` inside for real nodes, and by `memory` and `simulated` for tests.

Each satisfies `inos.network.link.Transport`: it first proves who the other side is, with a time limit on every step,
and then carries frames whose meaning it does not know.
"""
