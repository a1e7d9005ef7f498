"""A complete INOS network on one machine: three node processes, a client with real work, and a live view.

The devnet starts nodes with the usual command (`python -m inos node`), talks to them only over RPC, and has a
small classifier read handwritten digits as paid jobs. It uses no interface that a user does not have.

Pipeline: `inos.node.process` starts nodes -> `workload` posts jobs and assembles the results -> `monitor` reads figures
over RPC -> `view` draws them; at the end the command prints a report.
"""
