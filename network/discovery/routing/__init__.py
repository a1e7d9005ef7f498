"""Kademlia over proven connections: it finds the nodes near an id and the providers of a matrix.

The pipeline is: a peer that proved its id, and whose address was dialled from here, enters the `table` (k = 20 contacts
in a bucket, few of one network group; the contact seen least recently is pinged before it is replaced). A `lookup` asks
three nodes at a time, round by round, and passes over the answers of liars. `records` keep which node provides which
matrix; they are taken from the provider itself and expire. `candidates` are the records that a search found, each of
which is proven at its provider before it is used. `announcements` tell other nodes what this one has, `maintenance`
keeps the table true, `queries` sends single requests, and `service` combines the parts.

`metric`, `table`, `records` and `endpoints` do no I/O and read no clock. Nothing here stores or reads matrices: the
node says which ones it holds, and `inos.network.sync` fetches those that are found.
"""
