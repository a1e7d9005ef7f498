"""The chain on disk: known blocks, the connected chain, the state after its tip, waiting transactions.

It stores, indexes, connects and undoes what `consensus` found valid; it decides no rule itself.

Pipeline: block -> stages 1 and 2 (`ledger`, by `inos.consensus.validity`) -> `index` (which branch is
best) -> `movement`: stage 3 (`inos.consensus.execution`) -> `connection` (one batch: block, records, tree,
indices, undo, tip) -> LevelDB -> `view`, which everybody reads. `patience` keeps headers that nobody
proves from leading anywhere. `mempool` and `template` turn waiting transactions into the next block.
"""
