"""Nodes talking to nodes: proven links, bounded messages, peers, and what is asked of whom.

Pipeline: `transport` (bytes over a proven link) -> `wire` (pieces put together, one message decoded
under its limits) -> `peers` (who it is, what it may still do) -> `sync` (what is wanted, what is served)
-> the node's writer, and back out as announcements of what the node has accepted.

It applies no rule of the chain itself and stores nothing: whatever a peer sends goes to the node, and
only what the node accepted is passed on. It opens no database, mines nothing, and reads time and
randomness only as they were handed in. `ports` says what it needs of a node, `link` what it needs of
a transport, so that a simulated network is one more transport.
"""
