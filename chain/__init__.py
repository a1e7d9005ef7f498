"""The chain on disk: known blocks, the connected chain, the state after its tip, and waiting transactions.

The package stores, indexes, connects and undoes blocks that `consensus` found valid. It decides no rule itself.

Pipeline: block -> stages 1 and 2 (`ledger`, by `inos.consensus.validity`) -> `index` (which branch is best) ->
`movement`: stage 3 (`inos.consensus.execution`) -> `connection` (one batch: block, records, tree, indices, undo, tip)
-> LevelDB -> `view`, which all readers use. `patience` limits headers whose seals nobody proves. `mempool` and
`template` turn waiting transactions into the next block.
"""
