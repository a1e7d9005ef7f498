"""The voter votes on finality with the BLS key of the node.

`voter` votes once an epoch, after `journal` has the vote on disk; `interchange` moves a journal between machines.
`inos.consensus.finality` says which votes count; nothing here decides validity.
"""
