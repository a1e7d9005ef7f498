"""Real node processes for the functional tests, and helpers that ask them and await their states."""

import asyncio
import json
import time
from collections.abc import Awaitable, Callable
from typing import Any
from urllib.request import Request, urlopen

from support.answers import check_answer

POLL_SECONDS = 0.1


class RpcFailed(AssertionError):
    """The node answered with an error; `code` is the name in the error's data."""

    def __init__(self, method: str, error: dict[str, Any]) -> None:
        super().__init__(f"{method}: {error}")
        self.code = error.get("data", {}).get("code", "")


def _post(url: str, method: str, params: Any, token: str | None) -> Any:
    body = json.dumps({"jsonrpc": "2.0", "id": 1, "method": method, "params": params or {}}).encode()
    headers = {"Content-Type": "application/json"} | ({"Authorization": f"Bearer {token}"} if token else {})
    with urlopen(Request(url, body, headers), timeout=60) as response:
        return json.load(response)


async def ask(url: str, method: str, params: Any = None, token: str | None = None, *, is_light: bool = False) -> Any:
    """Call a node or a light client by JSON-RPC and return the result, checked against its OpenRPC document.

    Raises:
        RpcFailed: the node refused.
    """
    answer = await asyncio.to_thread(_post, url, method, params, token)
    if "error" in answer:
        raise RpcFailed(method, answer["error"])
    check_answer(method, answer["result"], is_light=is_light)
    return answer["result"]


async def await_that(question: str, check: Callable[[], Awaitable[Any]], timeout_s: float) -> Any:
    """Ask again and again until the answer is truthy, and return it. These nodes send no notifications.

    Connection errors and refusals count as "no", since a node may be starting or may not know the answer yet.
    """
    start, last = time.monotonic(), None
    while time.monotonic() - start < timeout_s:
        try:
            last = await check()
        except (OSError, RpcFailed) as error:
            last = error
        if last and not isinstance(last, Exception):
            return last
        await asyncio.sleep(POLL_SECONDS)
    raise AssertionError(f"{question}: not within {timeout_s} s; last answer {last!r}")


async def get_height(url: str) -> int:
    return int((await ask(url, "chain_head"))["height"])


async def await_height(url: str, height: int, timeout_s: float = 60) -> None:
    """Wait until the node's tip is at `height` or above."""

    async def is_there() -> bool:
        return await get_height(url) >= height

    await await_that(f"{url} at height {height}", is_there, timeout_s)


async def await_one_tip(urls: list[str], timeout_s: float = 60) -> dict[str, Any]:
    """Wait until all nodes have the same tip, and return that block's head."""

    async def is_one() -> dict[str, Any] | None:
        heads = await asyncio.gather(*(ask(url, "chain_head") for url in urls))
        return heads[0] if len({head["id"] for head in heads}) == 1 else None

    return await await_that("one tip", is_one, timeout_s)  # type: ignore[no-any-return]


async def await_final(url: str, above: int) -> dict[str, Any]:
    """Wait until a block above this height is final, and return the status of finality."""

    async def is_final() -> dict[str, Any] | None:
        status = dict(await ask(url, "finality_status"))
        return status if status["final_height"] > above else None

    return dict(await await_that(f"a block above {above} is final", is_final, 90))


async def await_committee(url: str, members: int, limit_s: float = 90) -> None:
    """Wait until the committee of a ballot has this many members; optimistic jobs can be claimed then."""

    async def is_seated() -> bool:
        if not (await ask(url, "finality_status"))["ballots"]:
            return False
        return len((await ask(url, "finality_committee"))["members"]) >= members

    await await_that(f"{members} voters are in the committee", is_seated, limit_s)
