"""What every running node has, whatever surrounds it: one writer, its events, its threads, its matrices.

Input arrives from peers and RPC. `verification` checks it before the writer, `deferred` keeps what cannot be
checked yet, `service` hands everything that changes the chain, the pool or the matrices to the one `writer`
thread, and `events` tells subscribers afterwards. The package knows no peers, no RPC and no settings files.
"""
