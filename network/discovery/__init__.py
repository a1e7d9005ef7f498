"""Finding other nodes and what they hold.

`routing` is the Kademlia table over proven connections: who is near which id, who provides which matrix.
Nothing a peer says is believed here before the node it speaks of has proven itself.
"""
