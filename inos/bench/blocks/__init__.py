"""`inos bench blocks`: the worst block that the rules allow, of each kind, at a real node that mines on all cores.

Pipeline: `kinds` says what each kind needs -> `workshop` makes a chain that has it (`jobs`, `voters`), in a data
directory, fills one more block up to the limits and seals it -> `process` runs a node on a copy of that directory ->
`peer` sends it the block -> `probes` time what others ask of the node meanwhile -> `measure` puts this together,
`report` describes it.

The chain has the network's own parameters, but for those that decide how hard blocks are to find and how long records
wait (`workshop.FREE`): the cost of a block depends on none of these.
"""
