"""A devnet of real processes that is killed, split, slowed and lied to, and then judged.

`plan` reads what a person asks for and draws from a seed when it happens; `wiring` links the processes by
relays; `fleet` starts, kills and restarts nodes; `customers` post paid jobs all the while; `liars` runs the dishonest
processes, each a `liar`. When the time is over `judge` looks at every honest node.

Pipeline: text -> `plan` -> `run` (fleet + customers + liars under the plan's events) -> `judge` -> `report`.
Nothing here reaches into a node: it is started as anybody would, asked by RPC, and its log is read.
"""
