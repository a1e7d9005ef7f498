"""Products on a Ray cluster of one's own machines. Only `--engine ray://...` and `inos.matmul(engine=...)` import it.

It stores both operands in the cluster's object store, cuts X into parts, and puts the parts' products together. It
checks what comes back, each winning ticket and all rows, but the machines run code for each other: the network is
trusted (docs/cluster.md). Ray itself is imported when a connection is made, and only by `connection`.

Pipeline: `address` (what the person wrote, the token) -> `probe` (does a head answer, and take the token) ->
`connection` (Ray, and its errors in our words) -> `engine` (parts, and what is checked) -> `parts` (in the workers).
"""

from inos.work.cluster.address import ClusterError
from inos.work.cluster.engine import ClusterEngine, open_engine

__all__ = ["ClusterEngine", "ClusterError", "open_engine"]
