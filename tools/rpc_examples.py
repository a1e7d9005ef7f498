"""Records the results of the OpenRPC document's examples from a test chain: `make models` runs it.

Results that depend on the time or on random keys differ at each run, so a recorded result is replaced only if its
shape is no longer that of the answer. A test compares the shapes as well.
"""

import asyncio
import json
from typing import Any, Final

import aiohttp
import numpy as np

from inos.rpc.description.openrpc import RECORDED, make_document
from inos.rpc.methods import ALL_METHODS
from inos.testing import TestChain

ANSWER_S: Final = 60.0
Answers = dict[str, dict[str, Any]]
"""Results by method and by the name of the example."""


def record_answers() -> Answers:
    """Make a chain on which every example means something, and return the results of all examples.

    Raises:
        RuntimeError: the node refused an example.
    """
    with TestChain() as chain:
        post_jobs(chain)
        return asyncio.run(ask_all(chain))


def post_jobs(chain: TestChain) -> None:
    """Have an optimistic job done, for which the chain seats its committee, and leave a checked one open."""
    rng = np.random.default_rng(1)
    x, w = (rng.integers(-64, 64, shape, np.int8) for shape in ((64, 128), (32, 128)))

    async def post(mode: Any) -> None:
        async with chain.client(chain.accounts[0]) as client:
            await client.post_job(x, w, reward=1, mode=mode)

    asyncio.run(post("optimistic"))
    chain.mine(chain.network.params.epoch_blocks)
    chain.works = False
    asyncio.run(post("checked"))


async def ask_all(chain: TestChain) -> Answers:
    """Call every method with its examples by position, over one WebSocket with the node's token."""
    token = (chain.data_dir / "rpc.token").read_text().strip()
    answers: Answers = {}
    async with (
        aiohttp.ClientSession(headers={"Authorization": f"Bearer {token}"}) as session,
        session.ws_connect(f"{chain.url}/ws") as socket,
    ):
        for described in make_document(ALL_METHODS)["methods"]:
            for example in described["examples"]:
                values = [param["value"] for param in example["params"]]
                answer = await ask(socket, described["name"], values)
                answers.setdefault(described["name"], {})[example["name"]] = answer
    return answers


async def ask(socket: aiohttp.ClientWebSocketResponse, method: str, values: list[Any]) -> Any:
    """Return the result of one call; notifications that arrive before it are passed over."""
    await socket.send_json({"jsonrpc": "2.0", "id": method, "method": method, "params": values})
    async with asyncio.timeout(ANSWER_S):
        while (answer := await socket.receive_json()).get("id") != method:
            pass
    if "error" in answer:
        raise RuntimeError(f"{method}{values}: {answer['error']}")
    return answer["result"]


def get_shape(value: Any) -> Any:
    """Return a value with the names of types in place of strings and numbers, and of a list the shape of its first."""
    if isinstance(value, dict):
        return {name: get_shape(each) for name, each in value.items()}
    if isinstance(value, list):
        return [get_shape(each) for each in value[:1]]
    return type(value).__name__


def write_answers() -> None:
    """Write those recorded results again whose shapes have changed."""
    recorded: Answers = json.loads(RECORDED.read_text("utf-8"))
    answers = record_answers()
    for method, examples in answers.items():
        for name, result in examples.items():
            before = recorded.get(method, {}).get(name)
            if get_shape(before) == get_shape(result):
                examples[name] = before
    if answers != recorded:
        RECORDED.write_text(json.dumps(answers, indent=1) + "\n", "utf-8")
        print(RECORDED.name)


if __name__ == "__main__":
    write_answers()
