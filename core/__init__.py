"""What every running node has, whatever surrounds it: one writer, its events, its threads, its matrices.

Input arrives from peers and RPC. `verification` checks it before the writer, `deferred` keeps what cannot be
checked yet, the services (`blocks`, `transactions`, `templates`, `votes`, `state_import`, `matrices`) hand every change
of chain and pool to the one writer thread, and `events` tells subscribers afterwards. `node_core` puts them together.
The package knows no peers, no RPC and no settings files.
"""
