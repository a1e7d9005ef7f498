"""Discovery of other nodes and of the matrices they hold.

`addresses` finds nodes to connect to. `routing` is the Kademlia table over proven connections: it finds the nodes near
an id and the providers of a matrix. What a peer says of another node is believed only after that node proves itself.
"""
