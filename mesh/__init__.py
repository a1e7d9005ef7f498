"""Matrices by id on this node's disk.

A matrix travels in runs of 64 strips with one path, each verified against its id when it arrives, and lies in one
file, checked again whenever it is read back and by a scrubber in between. It trusts no peer and no disk.

Pipeline: `arrivals.begin` (info, hashed to the id; room is taken) -> `arrivals.add_run` in any order, also after a
restart -> the file gets its name once all is there -> `get`, `get_strips`, `get_run`. What is made here comes by `put`
or `growth.open`. When room ends, `retention` evicts the least wanted matrices, never one that is pinned or needed;
`copies` decides how many copies of a matrix the network should have, and which nodes make and drop them.
"""
