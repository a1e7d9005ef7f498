"""/metrics, /health and /ready on a separate port, for monitoring without access to the RPC."""

import errno
from typing import Final

import structlog
from aiohttp import web

from inos.primitives.errors import InosError
from inos.rpc import errors
from inos.rpc.errors import RpcError
from inos.rpc.metrics.collector import Metrics
from inos.rpc.ports import NodePort
from inos.rpc.server.connections import Connections
from inos.rpc.server.http_log import HTTP_LOG

log: Final = structlog.get_logger("rpc")

CONTENT_TYPE: Final = "text/plain; version=0.0.4; charset=utf-8"
SHUTDOWN_S: Final = 2.0


class MetricsServer:
    """Serves metrics and health of a node, read-only.

    Args:
        host, port: the address to listen on; port 0 takes a free one.
    """

    def __init__(self, node: NodePort, metrics: Metrics, host: str, port: int) -> None:
        self._node = node
        self._metrics = metrics
        self._host = host
        self._port = port
        self._connections: Connections | None = None

    @property
    def url(self) -> str:
        return f"http://{f'[{self._host}]' if ':' in self._host else self._host}:{self._port}"

    async def start(self) -> None:
        """Start to listen.

        Raises:
            RpcError: "port-in-use", "address-unusable".
        """
        app = web.Application()
        app.router.add_get("/metrics", self._handle_metrics)
        app.router.add_get("/health", self._handle_health)
        app.router.add_get("/ready", self._handle_ready)
        runner = web.AppRunner(app, access_log=None, logger=HTTP_LOG, shutdown_timeout=SHUTDOWN_S, handle_signals=False)
        await runner.setup()
        connections = Connections("metrics", runner)
        try:
            self._port = await connections.start(self._host, self._port)
        except OSError as error:
            await connections.close()
            raise _explain(error, self._host, self._port) from error
        self._connections = connections
        log.info("metrics server listening", url=f"{self.url}/metrics")

    async def stop(self) -> None:
        if self._connections is not None:
            await self._connections.close()
            self._connections = None

    async def _handle_metrics(self, request: web.Request) -> web.Response:
        return web.Response(body=self._metrics.render(), headers={"Content-Type": CONTENT_TYPE})

    async def _handle_health(self, request: web.Request) -> web.Response:
        """Answer with all checks and their hints; status 200 if all pass, else 503."""
        health = self._node.health.check()
        checks = [
            {"name": one.name, "ok": one.is_ok, "code": one.code, "detail": one.detail, "hint": one.hint}
            for one in health.checks
        ]
        answer = {"status": "ok" if health.is_ok else "degraded", "checks": checks}
        return web.json_response(answer, status=200 if health.is_ok else 503)

    async def _handle_ready(self, request: web.Request) -> web.Response:
        """Answer with 200 if the node is at the tip of the chain, else 503; for load balancers."""
        is_ready = self._node.health.check().is_ready
        answer = {"ready": is_ready, "sync": self._node.p2p.sync.monitor.get_status().describe()}
        return web.json_response(answer, status=200 if is_ready else 503)


def _explain(error: OSError, host: str, port: int) -> InosError:
    endpoint = f"{host}:{port}"
    if error.errno == errno.EADDRINUSE:
        hint = "choose another port with --metrics; 0 takes a free one"
        return RpcError(errors.INTERNAL_ERROR, "port-in-use", f"the metrics port {port} on {host} is in use", hint=hint)
    return RpcError(errors.INTERNAL_ERROR, "address-unusable", f"cannot serve metrics on {endpoint}: {error}")
