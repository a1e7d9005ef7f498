"""Finality in the running node: votes heard and passed on, this node's own votes, evidence that sends itself.

`votes` checks what peers tell, off the loop, and keeps it in the chain's pool, from which templates take aggregates.
`voter` votes once an epoch with the key in the data directory, after `journal` has it on disk; `interchange` moves a
journal between machines. `reporter` sends evidence against whoever signed what nobody may sign both.
Which votes count is said by `inos.consensus.finality`; nothing here decides validity.
"""
