"""The ways to make links: `websocket` with `noise` inside for real nodes, `memory` and `simulated` for tests.

Each satisfies `inos.network.link.Transport`: it first proves who the other side is, with a time limit on every step,
and then carries frames whose meaning it does not know.
"""
