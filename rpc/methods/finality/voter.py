"""finality_register, finality_unbond and finality_withdraw: the node's own voter."""

from typing import Annotated

from pydantic import Field

from inos.primitives.units import Address, Nano
from inos.rpc import errors
from inos.rpc.errors import RpcError
from inos.rpc.method import method
from inos.rpc.models.render import make_renderer, read_address
from inos.rpc.models.transactions import SentTransactionModel
from inos.rpc.models.values import (
    AccountAddress,
    BigInteger,
    BlockHeight,
    BlsKey,
    Count,
    Hash,
    HexBytes,
    Model,
    NanoAmount,
    NoParams,
)
from inos.rpc.ports import NodePort, VoterPort


class OwnVoterModel(Model):
    """The voter of a node that was started with --vote."""

    key: Annotated[BlsKey, Field(description="The voter's key.")]
    address: Annotated[
        AccountAddress | None,
        Field(
            description="The account that registered the key, or that the node would register; null if there is none."
        ),
    ]
    is_registered: Annotated[bool, Field(description="True if the key is registered.")]
    bond: Annotated[NanoAmount, Field(description="The voter's bond.")]
    withdrawable_at: Annotated[
        BlockHeight | None,
        Field(description="The height from which the bond can be withdrawn; null unless the voter is unbonding."),
    ]
    mined: Annotated[NanoAmount, Field(description="The account's mined figure: its blocks' subsidies, halved.")]
    weight: Annotated[BigInteger, Field(description="Its weight: the mined figure as far as the bond reaches.")]
    votes_sent: Annotated[Count, Field(description="The number of votes sent since the node started.")]
    last_voted_epoch: Annotated[Count, Field(description="The epoch of the last checkpoint voted for; 0 before.")]
    last_error: Annotated[str, Field(description="Why the voter could not vote last; empty if it could.")]


class RegisterParams(Model):
    bond: Annotated[NanoAmount | None, Field(description="The bond; the smallest allowed if null.")] = None
    send: Annotated[
        bool, Field(description="False to get key and proof only, so that a wallet can send the registration.")
    ] = True
    address: Annotated[
        AccountAddress | None, Field(description="The account that registers; the node's own account if null.")
    ] = None


class VoterRegistrationModel(Model):
    """The parameters of a voter's registration, and the transaction if the node sent it."""

    key: Annotated[BlsKey, Field(description="The voter's key.")]
    proof: Annotated[
        HexBytes, Field(description="The proof that the node has the key's secret, for this address alone.")
    ]
    bond: Annotated[NanoAmount, Field(description="The bond.")]
    address: Annotated[AccountAddress, Field(description="The account that registers.")]
    transaction: Annotated[
        Hash | None, Field(description="The id of the registration that the node sent; null if it sent none.")
    ]


@method("finality_register", is_protected=True)
async def finality_register(node: NodePort, params: RegisterParams) -> VoterRegistrationModel:
    """Register this node's BLS key with a bond or add to its bond, or return only key and proof for an account."""
    voter = _get_voter(node)
    bond = Nano(node.params.min_voter_bond if params.bond is None else int(params.bond))
    address = _find_registrant(node, voter, params.address)
    payload = voter.make_registration(address, bond)
    sent = await voter.register(bond) if params.send else None
    return VoterRegistrationModel(
        key=payload.key.hex(),
        proof=payload.proof.hex(),
        bond=str(bond),
        address=make_renderer(node).address(address),
        transaction=None if sent is None else sent.hex(),
    )


@method("finality_unbond", is_protected=True)
async def finality_unbond(node: NodePort, params: NoParams) -> SentTransactionModel:
    """Stop voting: start the unbonding time of the node's own voter, after which its bond can be withdrawn."""
    return SentTransactionModel(id=(await _get_voter(node).unbond()).hex())


@method("finality_withdraw", is_protected=True)
async def finality_withdraw(node: NodePort, params: NoParams) -> SentTransactionModel:
    """Withdraw the bond of the node's own voter after the unbonding time."""
    return SentTransactionModel(id=(await _get_voter(node).withdraw()).hex())


def render_voter(node: NodePort, voter: VoterPort) -> OwnVoterModel:
    """Return the model of the node's own voter."""
    status = voter.get_status()
    return OwnVoterModel(
        key=status.key.hex(),
        address=None if status.address is None else make_renderer(node).address(status.address),
        is_registered=status.is_registered,
        bond=str(status.bond),
        withdrawable_at=status.withdrawable_at or None,
        mined=str(status.mined),
        weight=str(status.weight),
        votes_sent=status.votes_sent,
        last_voted_epoch=status.last_voted_epoch,
        last_error=status.last_error,
    )


def _find_registrant(node: NodePort, voter: VoterPort, given: str | None) -> Address:
    """Return the account that registers the node's key: the one that is named, else the node's own."""
    if given is not None:
        return read_address(node, given)
    address = voter.get_status().address
    if address is None:
        raise RpcError(
            errors.UNAVAILABLE,
            "no-account",
            "this node has no account of its own to register with",
            hint="name the account that registers the key",
        )
    return address


def _get_voter(node: NodePort) -> VoterPort:
    if node.voter is None:
        raise RpcError(errors.UNAVAILABLE, "no-voter", "this node does not vote", hint="start it with --vote")
    return node.voter
