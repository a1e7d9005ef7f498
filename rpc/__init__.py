"""JSON-RPC 2.0 over HTTP: how people and programs outside a node's process see and use it.

It translates: JSON to typed parameters, calls on the node, typed results to JSON. It holds no
state of the chain, knows no rule, and reaches the node only through `ports.NodePort`.

Pipeline: `server` (host, content type, size, token) -> `dispatch` (JSON-RPC, batches)
-> one of `methods` with pydantic parameters (`schemas`) -> the node -> pydantic result -> JSON.
`errors` maps every family of errors to its number; `openrpc` describes all methods.
"""

from inos.rpc.errors import RpcError
from inos.rpc.health import Check, Health, HealthChecks
from inos.rpc.metrics.collector import Metrics
from inos.rpc.metrics.server import MetricsServer
from inos.rpc.ports import NodePort, SnapshotStatus
from inos.rpc.server.http import RpcServer, RpcSettings

__all__ = [
    "Check",
    "Health",
    "HealthChecks",
    "Metrics",
    "MetricsServer",
    "NodePort",
    "RpcError",
    "RpcServer",
    "RpcSettings",
    "SnapshotStatus",
]
