"""`inos top`: a node live on a terminal, drawn from its subscriptions.

Pipeline: `feed` (subscriptions and calls of the client) -> `board` (what is shown, no I/O) -> `view` (drawn with rich).
"""
