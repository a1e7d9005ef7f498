"""A caller over a WebSocket."""

from typing import Any

import aiohttp

from inos.rpc.subscriptions.notifications import SubscriptionNotificationModel


class RpcSocket:
    """Sends requests over a WebSocket, and keeps notifications apart from answers."""

    def __init__(self, ws: aiohttp.ClientWebSocketResponse) -> None:
        self.ws = ws
        self.sent = 0
        self.waiting: list[dict[str, Any]] = []

    async def ask(self, name: str, **params: Any) -> Any:
        self.sent += 1
        await self.ws.send_json({"jsonrpc": "2.0", "id": self.sent, "method": name, "params": params})
        while "id" not in (message := await self.ws.receive_json(timeout=60)):
            self.waiting.append(message)
        return message.get("result", message.get("error"))

    async def receive(self) -> dict[str, Any]:
        """Return the parameters of the next notification, checked against the OpenRPC document."""
        message = self.waiting.pop(0) if self.waiting else await self.ws.receive_json(timeout=60)
        assert (message["jsonrpc"], message["method"], set(message)) == (
            "2.0",
            "subscription",
            {"jsonrpc", "method", "params"},
        )
        SubscriptionNotificationModel.model_validate(message["params"], strict=False)
        params: dict[str, Any] = message["params"]
        return params

    async def has_notification(self) -> bool:
        """Return True if a notification has come. An answer follows all notifications sent before it."""
        await self.ask("chain_head")
        return bool(self.waiting)
