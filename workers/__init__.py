"""Workers are other processes, machines, cards and pages that multiply for a node, which believes none of them.

The protocol is described in docs/workers.md. A worker connects to the RPC port at the path /work, gets templates and
assignments (a filler or a piece of a product), and returns tickets and rows. The node recomputes every ticket and
checks all rows.

Pipeline: `messages` (data) and `limits` (what each may cost) -> `server` (sessions, pieces, checks) on the node's side,
`client` (fetch, multiply, report) on the worker's; `pool` counts what strangers earn.

The package knows no peers, no RPC methods and no settings files; the miner hands it products through a port.
"""
