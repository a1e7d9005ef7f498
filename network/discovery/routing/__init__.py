"""Kademlia over proven connections: which node is near which id, and who provides which matrix.

Pipeline: a peer that proved its id and whose address was dialled from here -> `table` (k = 20 contacts a bucket,
the least recently seen one pinged before it goes, few of one network group) -> `lookup` (iterative, three at a
time, answers of liars passed over) -> `records` (who provides what, taken from the provider alone, expiring)
-> `providers` (the record proven at the provider before anybody relies on it). `service` ties them together.

`metric`, `table`, `records` and `places` do no I/O and know no clock. Nothing here stores or reads matrices:
what is held is asked of the node, and what is found is fetched by `inos.network.sync`.
"""
