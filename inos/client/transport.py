"""JSON-RPC over HTTP from the caller's side: one session, answers of bounded size, a time limit on every call."""

import asyncio
import io
from collections.abc import Mapping, Sequence
from itertools import count
from typing import Any, Final, TypeAlias

import aiohttp
import msgspec

from inos.client.errors import ClientError, RemoteError

MAX_ANSWER_BYTES: Final = 96 * 2**20
RETRY_PAUSES_S: Final = (0.2, 0.6)
"""Pauses before the second and the third try of a read whose connection failed."""
NEVER_REPEATED: Final = frozenset(
    {
        *("tx_send", "finality_register", "finality_unbond", "finality_withdraw"),
        *("miner_start", "miner_stop", "miner_submit", "node_stop", "node_snapshot"),
    }
)
"""Methods that change something each time they are called."""

Params: TypeAlias = Mapping[str, Any] | Sequence[Any]
"""Parameters of a call, by name or by position."""


class Transport:
    """Calls the methods of one node.

    Args:
        url: the node's RPC address.
        token: the node's bearer token; only protected methods need it.
        timeout_s: longest time one call may take, unless the call says otherwise.
        retry_pauses_s: pauses between the tries of a read; empty for a single try.
        max_answer_bytes: largest answer that is read.
    """

    def __init__(
        self,
        url: str,
        token: str | None = None,
        timeout_s: float = 30.0,
        *,
        retry_pauses_s: Sequence[float] = RETRY_PAUSES_S,
        max_answer_bytes: int = MAX_ANSWER_BYTES,
    ) -> None:
        self.url = url
        self.headers = {"Authorization": f"Bearer {token}"} if token else {}
        self._timeout_s = timeout_s
        self._retry_pauses_s = retry_pauses_s
        self._max_answer_bytes = max_answer_bytes
        self._session: aiohttp.ClientSession | None = None
        self._ids = count(1)

    async def close(self) -> None:
        """Close the connections; a later call opens new ones."""
        if self._session is not None:
            await self._session.close()
            self._session = None

    async def call(self, method: str, params: Params = (), *, timeout_s: float | None = None) -> Any:
        """Return the result of one call. A read whose connection failed is tried again, a change is not.

        Raises:
            RemoteError: the node refused the call.
            ClientError: "node-unreachable", "timeout", "bad-response" or "bad-url".
        """
        request = {"jsonrpc": "2.0", "id": next(self._ids), "method": method, "params": params}
        body = msgspec.json.encode(request)
        pauses = iter(() if method in NEVER_REPEATED else self._retry_pauses_s)
        while True:
            try:
                status, answer = await self._post(method, body, timeout_s or self._timeout_s)
                return self._decode(method, status, answer)
            except (aiohttp.ClientConnectionError, ConnectionError) as error:
                pause = next(pauses, None)
                if pause is None:
                    raise make_unreachable(self.url, error) from error
                await asyncio.sleep(pause)

    async def _post(self, method: str, body: bytes, timeout_s: float) -> tuple[int, bytes]:
        if self._session is None:
            self._session = aiohttp.ClientSession(headers={"Content-Type": "application/json"} | self.headers)
        try:
            limit = aiohttp.ClientTimeout(total=timeout_s)
            async with self._session.post(self.url, data=io.BytesIO(body), timeout=limit) as response:
                return response.status, await self._read_bounded(response)
        except TimeoutError as error:
            raise ClientError("timeout", f"{self.url} did not answer {method} within {timeout_s:g} s") from error
        except (aiohttp.InvalidURL, aiohttp.NonHttpUrlClientError) as error:
            raise make_bad_url(self.url) from error
        except aiohttp.ClientPayloadError as error:
            raise ClientError("bad-response", f"the answer to {method} broke off: {error}") from error

    async def _read_bounded(self, response: aiohttp.ClientResponse) -> bytes:
        body = bytearray()
        async for chunk in response.content.iter_any():
            body += chunk
            if len(body) > self._max_answer_bytes:
                raise ClientError("bad-response", f"the answer is larger than {self._max_answer_bytes} bytes")
        return bytes(body)

    def _decode(self, method: str, status: int, body: bytes) -> Any:
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


def make_remote_error(method: str, error: Mapping[str, Any]) -> RemoteError:
    """Turn a JSON-RPC error object into an exception; its code is the one in the error's data, if there is one."""
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


def make_unreachable(url: str, error: BaseException) -> ClientError:
    """Return the error that says that no node answers at `url`."""
    return ClientError(
        "node-unreachable",
        f"no node answers at {url}: {str(error) or type(error).__name__}",
        hint="start one with: inos node --network devnet   (or give the address of one that runs: --rpc URL)",
    )


def make_bad_url(url: str) -> ClientError:
    """Return the error that says that `url` cannot be the address of a node."""
    return ClientError("bad-url", f"{url!r} is not the address of a node", hint="write it as http://127.0.0.1:8645")
