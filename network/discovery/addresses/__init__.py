"""Addresses of other nodes are learned from seeds and peers, kept on disk, and turned into outbound links.

`book` is the table of addresses, bucketed so that no operator can fill it; `bookfile` stores and restores it.
`exchange` requests addresses from peers, answers their requests and relays fresh addresses. `reachability` learns where
other nodes can reach this one. `slots` keeps the outbound links: anchors first, then the book, then seeds. `rotation`
replaces outbound peers while the chain does not grow. `service` combines them and tests addresses.

The pipeline is: answers of seeds and peers enter the book's new table, a feeler or a slot dials them, and those that
prove their id move to the tried table and serve as outbound peers. An address that leads nowhere costs an attempt and
is forgotten; nothing here bans a node.
"""
