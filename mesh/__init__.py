"""Stores matrices by id on this node's disk.

A matrix travels in runs of 64 strips with one path, each verified against its id when it arrives. It is stored in
one file, which is checked again whenever it is read back, and by a scrubber in between. The store trusts no peer and
no disk.

A fetched matrix takes this way: `arrivals.begin` (info, hashed to the id; room is taken) -> `arrivals.add_run` in
any order, also after a restart -> the file gets its final name once it is complete -> `get`, `get_strips`,
`get_run`. A matrix that is made here is stored by `put` or `growth.open`. When room ends, `retention` evicts the
least wanted matrices, never one that is pinned or needed; `copies` decides how many copies of a matrix the network
should have, and which nodes make and drop them.
"""
