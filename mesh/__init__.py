"""Matrices by id on this node's disk.

A matrix is stored once it is complete and its id has been verified, and served in strips with
their paths. It trusts no peer: every strip is checked when it arrives.

Pipeline: `begin` (info, hashed to the id) -> `add_strip` (each with its path) -> `store` writes
one file by temporary name, fsync and rename -> `get_strips` for others, `get` for this node.
"""
