"""The light client with sources in memory: forks, sources that are behind, missing witnesses, contradicting proofs."""

import random
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from inos.chain.ledger import Ledger
from inos.consensus.finality.trust import Step
from inos.consensus.records import StateKey
from inos.genesis import Network
from inos.light.accounts import get_account
from inos.light.errors import Lie, LightError, Unknown
from inos.light.light_client import LightClient
from inos.light.source import Proven, Source
from inos.primitives.blocks import Header, compute_block_id
from inos.primitives.bls import get_bls
from inos.primitives.codec import encode
from inos.primitives.errors import InosError
from inos.primitives.matrices import Witness
from inos.primitives.units import Address, BlockId, TimeMs
from inos.primitives.votes import Checkpoint
from support.chain_maker import ALICE, EASY, NOW, Branch, feed
from support.final_chain import grow_voted, make_voted_branch

EPOCH = EASY.epoch_blocks


class Clock:
    def now_ms(self) -> TimeMs:
        return NOW


class LedgerSource:
    """Implements inos.light.source.Source directly over a ledger, without a network."""

    def __init__(self, url: str, ledger: Ledger, branch: Branch) -> None:
        self.url = url
        self.ledger = ledger
        self.genesis = compute_block_id(branch.genesis.header).hex()
        self.has_witnesses = True
        self.asked_witnesses = 0

    async def get_genesis(self) -> str:
        return self.genesis

    async def get_headers(self, first: int, limit: int) -> tuple[list[Header], int]:
        height = self.ledger.view.tip.header.height
        ids = [self.ledger.view.get_block_id(h) for h in range(first, min(height, first + limit - 1) + 1)]  # type: ignore[arg-type]
        return [self.ledger.view.get_header(id) for id in ids if id is not None], height  # type: ignore[misc]

    async def get_witnesses(self, blocks: Any) -> list[Witness | None]:
        self.asked_witnesses += len(blocks)
        return [self.ledger.view.get_witness(block) if self.has_witnesses else None for block in blocks]

    async def get_steps(self, first: int) -> list[Step]:
        return self.ledger.view.list_steps(first, 16)

    async def prove(self, key: StateKey, block: BlockId | None) -> Proven:
        if block is None:
            return Proven(self.ledger.view.tip.id, *self.ledger.view.reader.prove(key))
        header = self.ledger.view.get_header(block)
        past = None if header is None else self.ledger.view.get_past(header.height)
        if past is None or past.block != block:
            raise LightError("source-refused", f"{self.url} does not keep that state")
        return Proven(block, *past.prove(key))


class Ground:
    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.ledgers: list[Ledger] = []

    def source(self, branch: Branch) -> LedgerSource:
        ledger = branch.open_ledger(self.folder / str(len(self.ledgers)))
        self.ledgers.append(ledger)
        feed(ledger, branch.blocks)
        return LedgerSource(f"http://node{len(self.ledgers)}", ledger, branch)

    def client(
        self, branch: Branch, *sources: LedgerSource | Source, checkpoint: Checkpoint | None = None
    ) -> LightClient:
        state = branch.genesis
        network = Network(branch.params, state, compute_block_id(state.header), "lab", "tests", ())
        return LightClient(network, list(sources), Clock(), random.Random(1), get_bls(), checkpoint)  # type: ignore[arg-type]


@pytest.fixture(autouse=True)
def few_headers_in_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let clients drop headers after a few blocks, as others do after hundreds."""
    monkeypatch.setattr("inos.chain.trimming.DEPTH", 2)
    monkeypatch.setattr("inos.chain.trimming.STEP", 1)
    monkeypatch.setattr("inos.light.headers.KEPT", 1)


@pytest.fixture
def ground(tmp_path: Path) -> Iterator[Ground]:
    made = Ground(tmp_path)
    yield made
    for ledger in made.ledgers:
        ledger.close()


@pytest.fixture(scope="module")
def voted() -> Branch:
    return make_voted_branch(5)


async def test_follows_what_voters_signed_and_checks_no_more_seals_than_needed(voted: Branch, ground: Ground) -> None:
    source = ground.source(voted)
    client = ground.client(voted, source)
    await client.follow()
    assert not client.lies
    assert not client.troubles
    assert client.headers.final.height == 4 * EPOCH
    seen = source.asked_witnesses
    feed(source.ledger, grow_voted(voted.fork(), EPOCH))
    await client.follow()
    assert client.headers.final.height == 5 * EPOCH
    assert source.asked_witnesses == seen, "what is final needs no witness"
    answer = await get_account(client, ALICE.address)
    assert answer.is_final
    assert answer.account == get_past_account(source, 5 * EPOCH, ALICE.address)


def get_past_account(source: LedgerSource, height: int, address: Address) -> Any:
    from inos.consensus.state import StateView

    past = source.ledger.view.get_past(height)
    assert past is not None
    return StateView(past).get_account(address)


async def test_heavier_branch_is_followed_and_a_laggard_is_no_liar(ground: Ground) -> None:
    low = Branch(EASY)
    low.grow_by(6)
    other = low.fork(back=3)
    other.grow_by(5, nonce=4)
    first, second = ground.source(low), ground.source(other)
    client = ground.client(low, first, second)
    await client.follow()
    await client.follow()
    assert client.headers.index.heaviest.id == other.tip_id
    assert not client.lies
    answer = await get_account(client, ALICE.address)
    assert not answer.is_final
    assert answer.entry.id == low.tip_id, "the first source is asked, and answers for the tip it has"


async def test_work_is_looked_at_before_anything_is_final(voted: Branch, ground: Ground) -> None:
    source = ground.source(voted)
    source.has_witnesses = False
    client = ground.client(voted, source)
    await client.follow()
    assert client.headers.final.height == 0
    assert "witness" in client.troubles[source.url]
    assert not client.lies
    other = ground.source(voted)
    client = ground.client(voted, source, other)
    await client.follow()
    assert client.headers.final.height == 4 * EPOCH, "the witnesses of another source do as well"


async def test_two_proofs_that_contradict_end_all_answers(ground: Ground) -> None:
    one = make_voted_branch(4)
    other = one.fork()
    grow_voted(one, 2 * EPOCH)
    other.grow(nonce=9)
    grow_voted(other, 3 * EPOCH - 1)
    client = ground.client(one, ground.source(one), ground.source(other))
    await client.follow()
    await client.follow()
    with pytest.raises(LightError) as caught:
        await get_account(client, ALICE.address)
    assert caught.value.code == "conflicting-finality"
    assert "third" in caught.value.message


async def test_forged_header_without_work_is_found_out(ground: Ground) -> None:
    branch = Branch(EASY)
    branch.grow_by(8)
    source = ground.source(branch)
    client = ground.client(branch, source)
    real = source.get_witnesses

    async def get_witnesses(blocks: Any) -> list[Witness | None]:
        found = await real(blocks)
        return [None if w is None else replace(w, x_strip=bytes(16384)) for w in found]

    source.get_witnesses = get_witnesses  # type: ignore[method-assign]
    await client.follow()
    with pytest.raises(Lie) as caught:
        await get_account(client, ALICE.address)
    assert caught.value.code == "lied-about-seals"
    assert client.sources == []
    with pytest.raises(Unknown) as later:
        await get_account(client, ALICE.address)
    assert later.value.code == "no-source"


async def test_begins_with_a_checkpoint(voted: Branch, ground: Ground) -> None:
    given = Checkpoint(3, voted.blocks[3 * EPOCH - 1].id)
    client = ground.client(voted, ground.source(voted), checkpoint=given)
    await client.follow()
    assert client.headers.final.height == 4 * EPOCH
    wrong = Checkpoint(2, voted.blocks[3 * EPOCH - 1].id)
    client = ground.client(voted, ground.source(voted), checkpoint=wrong)
    await client.follow()
    assert "not where --checkpoint says" in next(iter(client.troubles.values()))


async def test_other_network_is_no_lie(voted: Branch, ground: Ground) -> None:
    source = ground.source(voted)
    source.genesis = "ab" * 32
    client = ground.client(voted, source)
    await client.follow()
    assert "genesis" in client.troubles[source.url]
    assert not client.lies


class LyingConnection:
    """Answers as the RPC of a node, with one field of one method's first answer changed."""

    def __init__(
        self, source: LedgerSource, method: str = "", lie: Callable[[Any], Any] = lambda answer: answer
    ) -> None:
        self.source = source
        self.method = method
        self.lie = lie
        self.told: dict[str, dict[str, Any]] = {}
        """The first true answer of each method."""

    async def call(self, method: str, params: dict[str, Any]) -> Any:
        answer = await self.answer(method, params)
        is_first = self.told.setdefault(method, answer) is answer
        return self.lie(answer) if method == self.method and is_first else answer

    async def answer(self, method: str, params: dict[str, Any]) -> dict[str, Any]:
        match method:
            case "node_version":
                return {"genesis": await self.source.get_genesis()}
            case "chain_getRawHeaders":
                headers, height = await self.source.get_headers(params["first"], params["limit"])
                return {"headers": [encode(each).hex() for each in headers], "height": height}
            case "light_witnesses":
                witnesses = await self.source.get_witnesses([bytes.fromhex(each) for each in params["blocks"]])
                return {"witnesses": [None if each is None else encode(each).hex() for each in witnesses]}
            case "light_finalityProofs":
                return {"proofs": [encode(step).hex() for step in await self.source.get_steps(params["first"])]}
            case _:
                block = None if params["block"] is None else BlockId(bytes.fromhex(params["block"]))
                proven = await self.source.prove(StateKey(bytes.fromhex(params["key"])), block)
                other = proven.proof.other
                return {
                    "block": proven.block.hex(),
                    "value": None if proven.value is None else proven.value.hex(),
                    "siblings": [each.hex() for each in proven.proof.siblings],
                    "other_path": None if other is None else other.path.hex(),
                    "other_value": None if other is None else other.value.hex(),
                }

    async def close(self) -> None:
        return


def list_lies(value: Any) -> Iterator[Any]:
    """Yield an answer with one field changed; of long lists the first, the second and the last member stand for all."""
    match value:
        case dict():
            for name, member in value.items():
                yield from ({**value, name: changed} for changed in list_lies(member))
                yield {other: each for other, each in value.items() if other != name}
        case list():
            for at in sorted({0, 1, len(value) - 1} & set(range(len(value)))):
                yield from ([*value[:at], changed, *value[at + 1 :]] for changed in list_lies(value[at]))
            yield from ([], value[1:], [*value, *value[-1:]], value[::-1], None) if len(value) > 1 else ([None],)
        case str():
            flipped = "1" if value[:1] == "0" else "0"
            yield from (flipped + value[1:], value[:-1] + ("0" if value[-1:] != "0" else "1"), value[:-2], "x", 5, None)
            yield (
                value[: len(value) // 2]
                + ("a" if value[len(value) // 2] != "a" else "b")
                + value[len(value) // 2 + 1 :]
            )
        case None:
            yield from ("00" * 32, 5, [])
        case _:
            yield from (value + 1, value - 1, -1, "x", True, None)


@pytest.mark.parametrize("address", [ALICE.address, Address(b"\x77" * 20)], ids=["known", "unknown"])
async def test_no_changed_answer_of_a_node_is_believed(voted: Branch, ground: Ground, address: Address) -> None:
    """The client names the lie, has no answer, or answers what is true of the block that it names."""
    source = ground.source(voted)
    honest = LyingConnection(source)
    client = ground.client(voted, Source(source.url, honest))
    await client.follow()
    assert (await get_account(client, address)).entry.height == 4 * EPOCH
    refusals: list[str] = []
    believed = 0
    is_known = address == ALICE.address
    methods = honest.told if is_known else {"light_prove": honest.told["light_prove"]}
    for method, answer in methods.items():
        for lied in list_lies(answer):
            client = ground.client(
                voted, Source(source.url, LyingConnection(source, method, lambda _, lied=lied: lied))
            )
            await client.follow()
            try:
                found = await get_account(client, address)
            except InosError as error:
                refusals.append(error.message)
                continue
            believed += 1
            assert found.account == get_past_account(source, found.entry.height, address), (method, lied)
            assert voted.blocks[found.entry.height - 1].id == found.entry.id, (method, lied)
    assert all(refusals)
    assert believed < len(refusals)
