"""Ways to make links: `websocket` with `noise` inside for real nodes, `memory` for tests and simulations.

Each satisfies `inos.network.link.Transport`: it proves who the other side is before anything else happens, sets a time
limit on every step of that, and hands on frames whose meaning it does not know.
"""
