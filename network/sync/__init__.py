"""Sync decides what this node requests from peers and what it serves to them.

`headers` learns the peers' chains of headers, `blocks` fetches the bodies from all peers that have them, `relay`
announces and takes in new blocks, transactions and votes, `matrices` fetches matrices in verified runs of strips and
keeps enough copies of them, `snapshot` takes the state after a final block. `serving` answers requests, `progress` and
`monitor` tell how far sync is, and `service` combines the parts. Every wanted object has a time limit, after which it
is requested from another peer.
"""
