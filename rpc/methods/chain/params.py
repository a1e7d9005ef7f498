"""chain_getParams: the consensus parameters of the network."""

from typing import Annotated, Final

import msgspec
from pydantic import Field

from inos.primitives.blocks import encode_target
from inos.rpc.method import method
from inos.rpc.models.values import Count, Hash, Model, NanoAmount, NoParams
from inos.rpc.ports import NodePort

AMOUNTS: Final = (
    "subsidy_initial",
    "subsidy_tail",
    "job_fee",
    "account_fee",
    "min_bond",
    "reputation_per_claim",
    "jury_mib_fee",
    "min_voter_bond",
)
TARGETS: Final = ("genesis_target", "max_target")


class ConsensusParamsModel(Model):
    """Every consensus parameter of the network, as in its genesis file."""

    network: Annotated[str, Field(description="The network's name.")]
    chain_id: Annotated[Count, Field(description="The id of the chain, which every transaction and header carries.")]
    spacing_ms: Annotated[Count, Field(description="The intended time between blocks, in milliseconds.")]
    asert_half_life_ms: Annotated[
        Count, Field(description="How far behind schedule the chain is when the target has doubled, in milliseconds.")
    ]
    genesis_target: Annotated[Hash, Field(description="The target of block 1.")]
    max_target: Annotated[Hash, Field(description="The easiest target allowed.")]
    max_future_ms: Annotated[
        Count, Field(description="How far ahead of a node's clock a block's time may be, in milliseconds.")
    ]
    median_time_blocks: Annotated[
        Count, Field(description="The number of blocks whose median time a new block's time must exceed.")
    ]
    max_block_bytes: Annotated[Count, Field(description="The most bytes of an encoded block, without its witness.")]
    subsidy_initial: Annotated[NanoAmount, Field(description="The subsidy of block 1.")]
    subsidy_decay_interval: Annotated[
        Count, Field(description="Blocks between two reductions of the subsidy by one percent.")
    ]
    subsidy_tail: Annotated[NanoAmount, Field(description="The subsidy never falls below this.")]
    burn_per_mille: Annotated[
        Count, Field(description="The part of a subsidy that a job of as many tickets as the difficulty burns.")
    ]
    byte_burn_per_mille: Annotated[
        Count,
        Field(description="The part of a subsidy that a checked job of max_checked_block_bytes burns for its bytes."),
    ]
    job_fee: Annotated[NanoAmount, Field(description="What every job burns for its record in the state.")]
    account_fee: Annotated[NanoAmount, Field(description="What a transfer to a new account burns of its amount.")]
    max_checked_bytes: Annotated[
        Count, Field(description="The most bytes of operands and result of a checked job together.")
    ]
    max_checked_block_bytes: Annotated[
        Count, Field(description="The most bytes of the matrices that the checked results of a block name.")
    ]
    max_optimistic_bytes: Annotated[
        Count, Field(description="The most bytes of operands and result of an optimistic job together.")
    ]
    max_block_cost_us: Annotated[
        Count, Field(description="The most that a block may cost, in microseconds of the reference core.")
    ]
    min_bond: Annotated[NanoAmount, Field(description="The smallest bond of a job.")]
    min_claim_window: Annotated[Count, Field(description="The smallest claim_window of a job, in blocks.")]
    max_claim_window: Annotated[Count, Field(description="The largest claim_window of a job, in blocks.")]
    max_job_lifetime: Annotated[Count, Field(description="The most blocks from a job's posting to its deadline.")]
    base_open_claims: Annotated[Count, Field(description="The claims that an account without reputation may hold.")]
    reputation_per_claim: Annotated[NanoAmount, Field(description="The reputation that allows one more open claim.")]
    max_open_claims: Annotated[Count, Field(description="The most claims that an account may hold.")]
    reputation_half_life: Annotated[Count, Field(description="Blocks after which reputation has halved.")]
    job_retention: Annotated[Count, Field(description="Blocks for which a closed job stays in the state.")]
    result_depth: Annotated[
        Count, Field(description="Blocks after which a result is taken as checked, and its matrices may go.")
    ]
    challenge_window: Annotated[
        Count, Field(description="Blocks in which an optimistic result can be challenged before it is paid.")
    ]
    jury_size: Annotated[Count, Field(description="The seats of a jury.")]
    jury_window: Annotated[
        Count, Field(description="Blocks from a jury's drawing to its count; two thirds of them to commit verdicts.")
    ]
    jury_mib_fee: Annotated[NanoAmount, Field(description="What a seat is paid at least per MiB of the disputed job.")]
    epoch_blocks: Annotated[Count, Field(description="Blocks per finality epoch.")]
    finality_start: Annotated[Count, Field(description="The height below which no checkpoint is voted on.")]
    bond_leverage: Annotated[Count, Field(description="The most that a voter weighs, in multiples of its bond.")]
    max_voters: Annotated[Count, Field(description="The most voters there may be.")]
    min_voter_bond: Annotated[NanoAmount, Field(description="The smallest bond of a voter.")]
    unbonding_epochs: Annotated[
        Count, Field(description="Epochs from unbonding until the bond can be withdrawn; evidence still costs it then.")
    ]


@method("chain_getParams")
async def chain_get_params(node: NodePort, params: NoParams) -> ConsensusParamsModel:
    """Return the consensus parameters of this node's network."""
    values = msgspec.structs.asdict(node.params)
    values |= {name: str(values[name]) for name in AMOUNTS}
    values |= {name: encode_target(values[name]).hex() for name in TARGETS}
    return ConsensusParamsModel(**values)
