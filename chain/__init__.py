"""The chain on disk: known blocks, the connected chain, the state after its tip, waiting transactions.

It stores, indexes, connects and undoes what `consensus` found valid; it decides no rule itself.

Pipeline: block -> stages 1 and 2 (`ledger`, by `consensus.validity`) -> `index` (which branch is
best) -> stage 3 (`consensus.execution`) -> `connection` (one batch: records, tree, indices, undo,
tip) -> LevelDB. `mempool` and `template` turn waiting transactions into the next block.
"""
