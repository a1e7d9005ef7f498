"""Where other nodes are: learned from seeds and peers, kept on disk, and turned into outbound links.

`book` is the table of addresses, bucketed so that no operator fills it; `bookfile` puts it on disk and back.
`exchange` asks peers for addresses, answers them and passes fresh ones on; `reachability` learns where this
node itself can be reached; `slots` keeps the outbound links: anchors, then the book, then seeds, with feelers
that test addresses and a change of peers when the chain stands still; `service` puts them together.

Pipeline: seeds and peers' answers -> `book` (new) -> feeler or slot dials -> `book` (tried) -> outbound peers.
It bans nobody: an address that leads nowhere costs an attempt and is forgotten.
"""
