"""The network of nodes: proven links, bounded messages, peers, and the requests between them.

The pipeline is: `transport` carries bytes over a proven link, `wire` assembles the pieces of a message and decodes it
under its limits, `peers` knows who sent it and what that peer may still do, `sync` decides what this node requests and
serves. What arrives goes to the node's writer; what the node has accepted goes out again as announcements.

This package applies no rule of the chain and stores nothing: everything a peer sends goes to the node, and only what
the node has accepted is relayed. It opens no database and mines nothing, and it reads time and randomness only from the
clock and the generator that it is given. `ports` lists what it needs of a node and `link` what it needs of a transport,
so that a simulated network is one more transport.
"""
