"""A devnet under attack: nodes killed, links cut and slowed, liars among the peers, and the books checked afterwards.

Pipeline: `plan` (what the person asked for) -> `relay` (every link between two nodes, to be cut or slowed) ->
`fleet` (nodes as processes, killed and started again) -> `customer` (jobs that must not be lost) beside `liar`
(processes that speak the protocol and lie) -> `run` (the whole, and its report).

Nothing here reaches into a node: processes, sockets and RPC only.
"""
