"""A light client answers two methods: an account with its proof, and the client's status."""

from typing import Annotated, Any, Literal

from pydantic import Field

from inos.consensus.state import compute_reputation
from inos.light.accounts import get_account
from inos.light.light_client import LightClient
from inos.primitives.units import Height
from inos.rpc.errors import make_invalid_param
from inos.rpc.method import method
from inos.rpc.methods.state.accounts import AccountModel
from inos.rpc.models.render import render_proof
from inos.rpc.models.values import AccountAddress, BlockHeight, Count, Hash, Model, NoParams, UnixMs
from inos.wallet.addresses import decode_address, encode_address
from inos.wallet.errors import WalletError


class LightAccountParams(Model):
    address: Annotated[AccountAddress, Field(description="The account's address.")]
    prove: Annotated[bool, Field(description="True to add the Merkle proof that was checked.")] = False


class LightAccountModel(AccountModel):
    """An account, as proven against the state root of the last final block, or of the tip if nothing is final yet."""

    basis: Annotated[
        Literal["final", "unfinalized"],
        Field(description='"final" if the block is never undone, "unfinalized" if only work supports it so far.'),
    ]
    source: Annotated[str, Field(description="The node that sent the proof; it is not trusted.")]
    warnings: Annotated[list[str], Field(description="What other nodes were caught lying about.")]


class LieModel(Model):
    """A wrong answer of a node that a proof refutes."""

    source: Annotated[str, Field(description="The node's RPC address.")]
    code: Annotated[str, Field(description="The stable name of the error.")]
    message: Annotated[str, Field(description="What the node lied about.")]
    at_ms: Annotated[UnixMs, Field(description="When.")]


class LightStatusModel(Model):
    """The progress of the light client, and its nodes."""

    network: Annotated[str, Field(description="The network's name.")]
    genesis: Annotated[Hash, Field(description="The id of the genesis block.")]
    height: Annotated[BlockHeight, Field(description="The height of the heaviest chain of headers.")]
    head: Annotated[Hash, Field(description="The id of its last block.")]
    final_height: Annotated[BlockHeight, Field(description="The height of the last final block; 0 if only genesis is.")]
    final_block: Annotated[Hash, Field(description="The id of the last final block.")]
    justified_epoch: Annotated[Count, Field(description="The epoch of the last justified checkpoint.")]
    seals_checked: Annotated[Count, Field(description="Witnesses checked of blocks that are not final.")]
    rounds: Annotated[Count, Field(description="How often all nodes were asked.")]
    sources: Annotated[list[str], Field(description="RPC addresses of the nodes that were not caught lying.")]
    source_errors: Annotated[dict[str, str], Field(description="Nodes that cannot be followed now, with the reason.")]
    lies: Annotated[list[LieModel], Field(description="Wrong answers that proofs refuted.")]
    conflict: Annotated[
        str | None, Field(description="Two finality proofs that contradict each other; null if there are none.")
    ]


@method("state_getAccount", timeout_s=60.0)
async def state_get_account(node: Any, params: LightAccountParams) -> LightAccountModel:
    """Return balance, nonce and reputation of an account, proven against the state root of the last final block.

    If nothing is final yet, the proof is against the heaviest chain's tip; `basis` says which. An answer that its proof
    refutes is an error whose data.code starts with "lied": the message says which node lied about what.
    """
    client: LightClient = node
    network = client.network
    try:
        address = decode_address(network.hrp, params.address)
    except WalletError as error:
        raise make_invalid_param("address", error.message, code=error.code, hint=error.hint) from error
    found = await get_account(client, address)
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
        warnings=[lie.message for lie in client.lies],
    )


@method("light_status")
async def light_status(node: Any, params: NoParams) -> LightStatusModel:
    """Return the chain that the client follows, what is final, and which nodes it asks or has caught lying."""
    client: LightClient = node
    best, final = client.headers.index.heaviest, client.headers.final
    return LightStatusModel(
        network=client.network.name,
        genesis=client.network.genesis_id.hex(),
        height=best.height,
        head=best.id.hex(),
        final_height=final.height,
        final_block=final.id.hex(),
        justified_epoch=client.finality.justified_epoch,
        seals_checked=client.seals.checked,
        rounds=client.rounds,
        sources=[source.url for source in client.sources],
        source_errors=dict(client.troubles),
        lies=[LieModel(source=lie.source, code=lie.code, message=lie.message, at_ms=lie.at_ms) for lie in client.lies],
        conflict=None if client.conflict is None else client.conflict.message,
    )


HINT = "this is a light client, which answers light_status and state_getAccount alone; ask a full node"
METHODS = {each.name: each for each in (state_get_account, light_status)}
