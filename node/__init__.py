"""The composition root: one process's settings, data directory, services and their order.

It holds no rules and no policy of its own: `consensus` decides, `chain` stores, `network` and
`rpc` speak, `miner` works. `service.NodeService` is the one place where state changes, in one
writer thread; everybody else reads it and listens to its events.

Pipeline: settings (flags over environment over file) -> data directory (locked) -> ledger ->
stores -> service -> network -> miner -> RPC -> ready file; stopped in the opposite order.
"""
