"""A devnet of real processes that are killed, partitioned, slowed and lied to, and then judged.

`plan` reads the user's text and draws from a seed when things happen. `wiring` links the processes by relays. `fleet`
starts, kills and restarts nodes. `customers` post paid jobs all the time. `liars` runs the dishonest processes, each a
`liar`. At the end `judge` examines every honest node.

Pipeline: text -> `plan` -> `run` (fleet + customers + liars under the plan's events) -> `judge` -> `report`.
Nothing here reaches into a node: nodes are started with the usual command, asked over RPC, and their logs are read.
"""
