"""What a light client answers itself: an account, with its proof and what it is worth; and how the client fares."""

from typing import Annotated, Any, Literal

from pydantic import Field

from inos.consensus.state import compute_reputation
from inos.light.accounts import get_account
from inos.light.follower import Follower
from inos.primitives.units import Height
from inos.rpc.errors import make_invalid_param
from inos.rpc.method import method
from inos.rpc.methods.state.accounts import AccountModel, render_proof
from inos.rpc.schemas import AddressText, Count, HeightNumber, Hex32, Model, NoParams
from inos.wallet.addresses import decode_address, encode_address
from inos.wallet.errors import WalletError


class LightAccountParams(Model):
    address: AddressText
    prove: Annotated[bool, Field(description="Add the Merkle proof that was checked.")] = False


class LightAccountModel(AccountModel):
    """An account as a state root proves it: the last final block's, or, where nothing is final, the chain's tip's."""

    basis: Annotated[
        Literal["final", "unfinalized"],
        Field(description="Whether the block can never be taken back, or only work stands behind it so far."),
    ]
    source: Annotated[str, Field(description="The node that gave the proof; it is not trusted.")]
    warnings: Annotated[list[str], Field(description="Lies other nodes were caught in.")]


class LieModel(Model):
    source: str
    code: str
    message: str
    at_ms: int


class LightStatusModel(Model):
    """How far the client follows, and whom."""

    network: str
    genesis: Hex32
    height: Annotated[HeightNumber, Field(description="Of the heaviest chain of headers.")]
    head: Hex32
    final_height: Annotated[HeightNumber, Field(description="0 while nothing but genesis is final.")]
    final_block: Hex32
    justified_epoch: Count
    seals_checked: Annotated[Count, Field(description="Witnesses seen of blocks that nothing final vouches for.")]
    rounds: Annotated[Count, Field(description="How often all nodes were asked.")]
    sources: Annotated[list[str], Field(description="Nodes that were not caught lying.")]
    troubles: Annotated[dict[str, str], Field(description="Nodes that cannot be followed now, and why.")]
    lies: list[LieModel]
    conflict: Annotated[str | None, Field(description="Two proofs of finality that contradict each other.")]


@method("state_getAccount", timeout_s=60.0)
async def state_get_account(node: Any, params: LightAccountParams) -> LightAccountModel:
    """Balance, nonce and reputation of an address, proven against the last final block's state root.

    Where nothing is final yet, against the heaviest chain's tip: `basis` says which. An answer that no proof leads to
    is an error, whose data.code begins with "lied": the message says who lied about what, the hint what to do.
    """
    follower: Follower = node
    network = follower.network
    try:
        address = decode_address(network.hrp, params.address)
    except WalletError as error:
        raise make_invalid_param("address", error.message, code=error.code, hint=error.hint) from error
    found = await get_account(follower, address)
    account, entry = found.account, found.entry
    proof = render_proof(found.key, entry.id, entry.header, found.value, found.proof) if params.prove else None
    return LightAccountModel(
        address=encode_address(network.hrp, address),
        nonce=account.nonce,
        pending_nonce=account.nonce,
        balance=str(account.balance),
        bonded=str(account.bonded),
        reputation=str(compute_reputation(network.params, account, Height(entry.height))),
        open_claims=account.open_claims,
        height=entry.height,
        block=entry.id.hex(),
        proof=proof,
        basis="final" if found.is_final else "unfinalized",
        source=found.source,
        warnings=[lie.message for lie in follower.lies],
    )


@method("light_status")
async def light_status(node: Any, params: NoParams) -> LightStatusModel:
    """What the client follows, what is final, which nodes it asks, and who was caught lying."""
    follower: Follower = node
    best, final = follower.headers.best, follower.headers.final
    return LightStatusModel(
        network=follower.network.name,
        genesis=follower.network.genesis_id.hex(),
        height=best.height,
        head=best.id.hex(),
        final_height=final.height,
        final_block=final.id.hex(),
        justified_epoch=follower.finality.justified_epoch,
        seals_checked=follower.seals.checked,
        rounds=follower.rounds,
        sources=[source.url for source in follower.sources],
        troubles=dict(follower.troubles),
        lies=[
            LieModel(source=lie.source, code=lie.code, message=lie.message, at_ms=lie.at_ms) for lie in follower.lies
        ],
        conflict=None if follower.conflict is None else follower.conflict.message,
    )


METHODS = {each.name: each for each in (state_get_account, light_status)}
