"""JSON-RPC 2.0 over HTTP and WebSocket, for people and programs outside a node's process.

The package translates JSON to typed parameters, calls the node's services, and translates typed results to JSON.
It holds no state of the chain, knows no rule, and reaches the node only through `ports.NodePort`.

Pipeline: `server` (host, content type, size, token, JSON-RPC, batches) -> one of `methods` with pydantic parameters
-> the node -> a pydantic model (`models`) -> JSON. `subscriptions` sends notifications, `metrics` serves Prometheus,
`errors` gives every family of errors its number, `description` generates the OpenRPC document and the reference page.
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
