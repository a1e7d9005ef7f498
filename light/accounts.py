"""A record of an account comes from an untrusted node, and is checked against a state root that this client knows."""

from typing import Final

import structlog
from msgspec import Struct

from inos.chain.entry import Entry
from inos.consensus.records import MAX_RECORD_BYTES, Account, StateKey, account_key
from inos.consensus.statetree import StateProof, check_proof
from inos.light.errors import ASK_ANOTHER, Lie, LightError, Unknown
from inos.light.light_client import LightClient
from inos.light.source import Source
from inos.primitives.codec import decode
from inos.primitives.errors import InosError, NotYet
from inos.primitives.units import Address, StateRoot

log: Final = structlog.get_logger("light")
EMPTY: Final = Account()


class Answer(Struct, frozen=True):
    """Holds an account in the state of a block, with its proof."""

    account: Account
    key: StateKey
    value: bytes | None
    proof: StateProof
    entry: Entry
    is_final: bool
    source: str


async def get_account(client: LightClient, address: Address) -> Answer:
    """Return the account after the last final block, or after a source's tip if nothing is final yet.

    Raises:
        Lie: all nodes that answered lied; this is the last lie.
        LightError: "conflicting-finality".
        Unknown: "no-source", "state-unavailable".
    """
    if client.conflict is not None:
        raise client.conflict
    lie: Lie | None = None
    trouble: InosError | None = None
    for source in tuple(client.sources):
        try:
            return await _ask(client, source, account_key(address))
        except Lie as error:
            client.note_lie(error)
            lie = error
        except (LightError, NotYet) as error:
            log.warning("no account from a source", source=source.url, code=error.code, reason=error.message)
            trouble = error
    if lie is not None:
        raise lie
    if trouble is None:
        told = client.lies[-1:]
        text = f"; the last one: {told[0].message}" if told else ""
        raise Unknown("no-source", f"every node this client was given has lied{text}", hint=ASK_ANOTHER)
    raise Unknown(
        "state-unavailable",
        f"no node proves the account: {trouble.message}",
        hint="wait for the next final block, or name another --node",
    )


async def _ask(client: LightClient, source: Source, key: StateKey) -> Answer:
    final = client.headers.final
    if final.height > 0:
        return await _prove(source, key, final, is_final=True)
    found = await source.prove(key, None)
    if client.headers.index.get(found.block) is None:
        await client.ask(source)
    entry = client.headers.index.get(found.block)
    if entry is None or entry.invalid is not None:
        raise Unknown(
            "not-following", f"{source.url} proves the account for block {found.block.hex()}, which is unknown here"
        )
    await client.seals.check(entry, [source])
    return _check(source, key, entry, found.value, found.proof, is_final=False)


async def _prove(source: Source, key: StateKey, entry: Entry, *, is_final: bool) -> Answer:
    found = await source.prove(key, entry.id)
    if found.block != entry.id:
        text = f"it was asked for the state of block {entry.id.hex()}, and sent that of {found.block.hex()}"
        raise Lie("lied-about-state", source.url, text)
    return _check(source, key, entry, found.value, found.proof, is_final=is_final)


def _check(
    source: Source, key: StateKey, entry: Entry, value: bytes | None, proof: StateProof, *, is_final: bool
) -> Answer:
    root = StateRoot(entry.header.state_root)
    if not check_proof(root, key, value, proof):
        sort = "final" if is_final else "unfinalized"
        text = f"its proof of the account does not lead to {root.hex()}, the state root of {sort} block {entry.height}"
        raise Lie("lied-about-state", source.url, text)
    account = EMPTY if value is None else decode(Account, value, limit=MAX_RECORD_BYTES)
    return Answer(account, key, value, proof, entry, is_final, source.url)
