"""JSON-RPC over HTTP from the asking side: one session, bounded answers, a time limit on everything."""

import asyncio
import io
from collections.abc import Mapping, Sequence
from itertools import count
from typing import Any, Final

import aiohttp
import msgspec

from inos.client.errors import ClientError, RemoteError

MAX_ANSWER_BYTES: Final = 96 * 2**20
RETRY_PAUSES_S: Final = (0.2, 0.6)
"""Before the second and third try of a read whose connection failed."""
NEVER_REPEATED: Final = frozenset({"tx_send", "node_stop", "node_snapshot", "miner_start", "miner_stop"})


class Transport:
    """Calls methods of one node.

    Args:
        url: the node's RPC address.
        token: bearer token, needed for miner_* and node_stop only.
        timeout_s: longest one call may take, unless the call says otherwise.
    """

    def __init__(self, url: str, token: str | None, timeout_s: float) -> None:
        self.url = url
        self.headers = {"Authorization": f"Bearer {token}"} if token else {}
        self._timeout_s = timeout_s
        self._session: aiohttp.ClientSession | None = None
        self._ids = count(1)

    async def close(self) -> None:
        """Close the connections; a later call opens new ones."""
        if self._session is not None:
            await self._session.close()
            self._session = None

    async def call(
        self, method: str, params: Mapping[str, Any] | Sequence[Any], *, timeout_s: float | None = None
    ) -> Any:
        """The result of one call. Reads are tried again where the connection failed; what changes things is not.

        Raises:
            RemoteError: the node refused. ClientError: "node-unreachable", "timeout", "bad-response", "bad-url".
        """
        body = msgspec.json.encode({"jsonrpc": "2.0", "id": next(self._ids), "method": method, "params": params})
        pauses = () if method in NEVER_REPEATED else RETRY_PAUSES_S
        for pause in pauses:
            try:
                return self._read(method, *await self._post(method, body, timeout_s or self._timeout_s))
            except aiohttp.ClientConnectionError:
                await asyncio.sleep(pause)
        try:
            return self._read(method, *await self._post(method, body, timeout_s or self._timeout_s))
        except aiohttp.ClientConnectionError as error:
            raise ClientError(
                "node-unreachable",
                f"no node answers at {self.url}: {error}",
                hint="start one with: inos node --network devnet",
            ) from error

    async def _post(self, method: str, body: bytes, timeout_s: float) -> tuple[int, bytes]:
        if self._session is None:
            self._session = aiohttp.ClientSession(headers={"Content-Type": "application/json"} | self.headers)
        try:
            limit = aiohttp.ClientTimeout(total=timeout_s)
            async with self._session.post(self.url, data=io.BytesIO(body), timeout=limit) as response:
                return response.status, await _read_bounded(response)
        except TimeoutError as error:
            raise ClientError("timeout", f"{self.url} did not answer {method} within {timeout_s:g} s") from error
        except (aiohttp.InvalidURL, aiohttp.NonHttpUrlClientError) as error:
            raise ClientError(
                "bad-url", f"{self.url!r} is not the address of a node", hint="write it as http://127.0.0.1:8645"
            ) from error
        except aiohttp.ClientPayloadError as error:
            raise ClientError("bad-response", f"the answer to {method} broke off: {error}") from error

    def _read(self, method: str, status: int, body: bytes) -> Any:
        try:
            answer = msgspec.json.decode(body)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            answer = None
        if isinstance(answer, dict) and "result" in answer:
            return answer["result"]
        error = answer.get("error") if isinstance(answer, dict) else None
        if not isinstance(error, dict):
            raise ClientError(
                "bad-response",
                f"{self.url} answered {method} with HTTP {status} and no JSON-RPC response",
                hint="is this a node's RPC address?",
            )
        raise make_remote_error(method, error)


async def _read_bounded(response: aiohttp.ClientResponse) -> bytes:
    body = bytearray()
    async for chunk in response.content.iter_any():
        body += chunk
        if len(body) > MAX_ANSWER_BYTES:
            raise ClientError("bad-response", f"the answer is larger than {MAX_ANSWER_BYTES} bytes")
    return bytes(body)


def make_remote_error(method: str, error: dict[str, Any]) -> RemoteError:
    data = error.get("data")
    known = data if isinstance(data, dict) else {}
    number = error.get("code")
    return RemoteError(
        number if isinstance(number, int) else 0,
        str(known.get("code") or f"rpc{number}"),
        f"the node refused {method}: {error.get('message', 'no reason given')}",
        hint=str(known.get("hint") or ""),
        data=data,
    )
