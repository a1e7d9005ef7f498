"""A whole INOS network on one machine: three node processes, a client with real work, a live view.

It starts nodes as anybody would (`python -m inos node`), talks to them only by RPC, and posts
the layers of a small digit classifier as paid jobs. It knows nothing a user could not do by hand.

Pipeline: `processes` start nodes -> `workload` posts jobs and puts results together ->
`monitor` reads figures over RPC -> `view` draws them, or `report` prints one JSON object.
"""
