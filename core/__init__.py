"""The core of every running node: one writer, its events, its threads, its matrices.

Input arrives from peers and RPC. `verification` checks it before the writer, and `deferred` keeps what cannot be
checked yet. The services (`blocks`, `transactions`, `templates`, `votes`, `state_import`, `matrices`) give every change
of chain and pool to the one writer thread, and `events` tells subscribers afterwards. `node_core` puts the services
together. The package knows no peers, no RPC and no settings files.
"""
