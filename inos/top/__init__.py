"""`inos top`: a node on a terminal, drawn from its subscriptions.

Pipeline: `feed` (one WebSocket that comes back and resumes) -> `board` (figures, no I/O) -> `view` (rich).
"""
