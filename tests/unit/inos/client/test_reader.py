"""The client's typed methods: each reads the result of its RPC method, every RPC method has one, and they stay."""

import inspect
import re
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest

import inos
from inos.rpc import RpcServer
from inos.rpc.description.openrpc import make_document
from inos.rpc.methods import ALL_METHODS
from inos.testing import TestChain
from inos.wallet.keys import make_key
from support.documents import ROOT
from support.fake_node import FakeNode
from support.rpc_served import make_fake_node, serve

ALICE = make_key(bytes(31) + b"\x01")
ANY: dict[str, Any] = {
    "address": "dinos1",
    "subject": "all",
    "epoch": 1,
    "limit": 3,
    "block": 1,
    "m": 1,
    "n": 1,
    "k": 1,
}
DESCRIBED = {method["name"]: method for method in make_document(ALL_METHODS)["methods"]}
BY_CALL = {
    "light_witnesses", "light_finalityProofs", "light_prove",  # inos job receipt, inos light
    "job_prove",  # inos job receipt
    "finality_register", "finality_unbond", "finality_withdraw",  # inos wallet vote
    "miner_workers", "pool_info", "pool_worker", "pool_window", "pool_payouts",  # the explorer
    "unsubscribe",
}  # fmt: skip
"""Methods that only commands call so far; `Client.call` reaches them."""


class Asked(Exception):
    """A request of a typed method, and the result that it makes of the answer."""

    def __init__(self, kind: Any, method: str) -> None:
        super().__init__(method)
        self.kind = kind
        self.method = method


class Mute(inos.Client):
    """A client that sends nothing."""

    async def _ask(self, kind: Any, method: str, **params: Any) -> Any:
        assert set(params) <= set(ALL_METHODS[method].params.model_fields), method
        raise Asked(kind, method)

    async def call(self, method: str, *args: Any, **named: Any) -> Any:
        raise Asked(None, method)


def list_typed() -> Iterator[str]:
    for name, _ in inspect.getmembers(inos.Client, inspect.iscoroutinefunction):
        if not name.startswith("_") and name not in ("call", "close", "copy"):
            yield name


async def ask(name: str) -> Asked | None:
    """Return the first request of a method, or None if it needs an answer before it sends one."""
    method = getattr(Mute(wallet=ALICE), name)
    given = {
        parameter.name: ANY.get(parameter.name, Path("/x") if parameter.name == "path" else "00" * 32)
        for parameter in inspect.signature(method).parameters.values()
        if parameter.default is parameter.empty and parameter.kind is not parameter.VAR_KEYWORD
    }
    try:
        await method(**given)
    except Asked as asked:
        return asked
    except (AttributeError, TypeError, inos.InosError):
        return None
    raise AssertionError(f"{name} asked nothing")


@pytest.mark.parametrize("name", list(list_typed()))
async def test_answers_are_read_as_what_the_method_returns(name: str) -> None:
    asked = await ask(name)
    if asked is not None and asked.kind is not None:
        schema = DESCRIBED[asked.method]["result"]["schema"]["$ref"].rpartition("/")[2]
        assert asked.kind.__name__ in (schema, schema.removesuffix("Model"))


async def test_every_method_of_the_rpc_has_a_typed_one() -> None:
    sources = "".join(path.read_text() for path in (Path(inos.__file__).parent / "client").glob("*.py"))
    called = set(re.findall(r'(?:call\(|_ask\([\w.]+,)\s*"(\w+)"', sources)) | {"subscribe"}
    assert set(ALL_METHODS) - called == BY_CALL


def list_members() -> Iterator[str]:
    """Return the public interface for programs: names, parameters, defaults."""
    for name in ("Client", "BlockingClient", "Miner", "array", "connect", "matmul", "quote"):
        yield f"{name}{describe(getattr(inos, name))}"
    for kind in (inos.Client, inos.BlockingClient, inos.Miner, TestChain):
        for name, member in inspect.getmembers(kind, lambda one: inspect.isfunction(one) or isinstance(one, property)):
            if not name.startswith("_"):
                yield f"{kind.__name__}.{name}{'' if isinstance(member, property) else describe(member)}"


def describe(function: Any) -> str:
    """Return a signature without its types, which mypy checks."""
    signature = inspect.signature(function)
    parameters = [one.replace(annotation=one.empty) for one in signature.parameters.values()]
    text = str(signature.replace(parameters=parameters, return_annotation=signature.empty))
    return re.sub(r" at 0x[0-9a-f]+", "", text)


def test_what_people_write_programs_against_stays() -> None:
    """A change here breaks programs. If it is intended, write it into the file and into the changelog."""
    assert list(list_members()) == (Path(__file__).parent / "public_api.txt").read_text().splitlines()


def test_the_page_names_every_method_and_no_other() -> None:
    rows = [line for line in (ROOT / "docs" / "client.md").read_text().splitlines() if line.startswith("| ")][1:-1]
    named = set(re.findall(r"`(\w+)`", " ".join(row.split("|")[2] for row in rows)))
    named -= {"heads", "finality", "transactions", "jobs", "miner"} - set(list_typed())
    helpers = {"get_address", "get_network", "version", "subscribe"}
    assert named | helpers == set(list_typed()) | {"subscribe"}


async def test_a_real_nodes_answers(inos_devnet: TestChain) -> None:
    customer, other, *_ = inos_devnet.accounts
    inos_devnet.send(customer, other, "1.5")
    async with inos_devnet.client(customer) as client:
        health = await client.health()
        assert {check.name for check in health.checks} == {"tip", "sync", "peers", "clock", "disk", "database"}
        assert health.sync.height == inos_devnet.height
        assert (await client.peers()).count == 0
        assert (await client.network_status()).peers == 0
        assert (await client.addresses()).addresses == ()
        assert (await client.bans()).bans == ()
        assert await client.unban("all") == 0
        page = await client.blocks()
        assert [block.height for block in page.blocks] == list(range(inos_devnet.height, -1, -1))
        assert (await client.certificate(1)).witness is not None
        sent = (await client.history(customer.address)).entries[0]
        assert (sent.kind, sent.balance, sent.bonded) == ("transfer", -1_500_000_000 - sent.fee, 0)
        moved = [(each.reason, each.balance, each.counterparty) for each in sent.movements]
        assert moved == [("fee", -sent.fee, None), ("sent", -1_500_000_000, other.address)]
        assert (await client.reputation_history(customer.address)).is_complete
        assert (await client.pool()).transactions == ()
        quote = await client.quote(64, 64, 1024)
        parts = quote.burn_parts
        assert (quote.tickets, quote.mode, quote.burn) == (16, "checked", parts.work + parts.bytes + parts.place)
        assert (await client.finality()).final_height == 0
        assert (await client.store()).matrices == 0
        assert (await client.matrices()).matrices == ()
        with pytest.raises(inos.RemoteError) as error:
            await client.miner()
        assert error.value.code == "no-miner"


@pytest.fixture
def node() -> FakeNode:
    return make_fake_node(10 * 10**9, ALICE.address)


@pytest.fixture
async def server(node: FakeNode, tmp_path: Path) -> AsyncIterator[RpcServer]:
    async with serve(node, tmp_path) as server:
        yield server


async def test_what_needs_the_token(node: FakeNode, server: RpcServer, tmp_path: Path) -> None:
    token = (tmp_path / "rpc.token").read_text().strip()
    async with inos.Client(server.url, token=token) as client:
        assert (await client.start_miner()).state == "filler"
        assert (await client.stop_miner()).state == "stopped"
        assert (await client.begin_snapshot(tmp_path / "copy")).state == "running"
        assert (await client.get_snapshot()).step_total_bytes == 9
        await client.stop_node()
        assert node.is_stopping
    async with inos.Client(server.url) as client:
        with pytest.raises(inos.RemoteError) as error:
            await client.miner()
        assert error.value.code == "unauthorized"
