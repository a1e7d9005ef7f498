"""Evolution on the market: islands of genomes, whose every generation anybody can compute again.

Pipeline: a `Run` (program, first genome, perhaps a function) -> a generation by a `Runner`, here or by a miner -> a
`Record` in the folder and the mesh -> other islands cite it -> `replay` says of each record whether it is right, false,
or cannot be checked yet.

The package adds no rule to the chain and holds no key: a generation on the market is an ordinary task.
docs/evolution.md says what that proves and what it does not.
"""
