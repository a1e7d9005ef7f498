"""The genesis file as pydantic models: strict types, ranges, no unknown and no missing field.

Amounts are decimal strings in nano, since JSON readers may take large numbers as floats;
targets are 64 hex digits; addresses bech32m under the file's own prefix.
"""

from typing import Annotated, Final, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints, model_validator

from inos.consensus.costs import RESULT_US, compute_product_cost
from inos.consensus.finality.epochs import STALE_EPOCHS
from inos.primitives import bech32m
from inos.primitives.transactions import SMALL_TX_BYTES
from inos.primitives.units import ADDRESS_BYTES, U32_MAX, U64_MAX, Address, Nano

MIN_BLOCK_BYTES: Final = 16 * SMALL_TX_BYTES
MAX_BLOCK_BYTES: Final = 64 << 20
YEAR_MS: Final = 366 * 86_400_000
MAX_BLOCKS: Final = 10**9
"""Upper bound of every span counted in blocks; keeps heights far from 64 bits."""
MIN_UNBONDING_EPOCHS: Final = STALE_EPOCHS + 2 + 2
"""This is the longest life of a committee, 34 epochs, and two epochs more."""


def _check_amount(text: str) -> str:
    if int(text) > U64_MAX:
        raise ValueError(f"more than 2^64 - 1 nano ({U64_MAX})")
    return text


Amount = Annotated[str, StringConstraints(pattern=r"^(0|[1-9][0-9]{0,19})$"), AfterValidator(_check_amount)]
Hex256 = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]
Name = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9-]{0,31}$")]
Prefix = Annotated[str, StringConstraints(pattern=r"^[a-z]{2,16}$")]
Seed = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}@[^\s@]{1,253}:[0-9]{1,5}$")]
Blocks = Annotated[int, Field(ge=1, le=MAX_BLOCKS)]
DurationMs = Annotated[int, Field(ge=1, le=YEAR_MS)]


class _Model(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


class NetworkSection(_Model):
    """The network's identity and first peers. `seeds` and `hrp` are not part of the state."""

    name: Name
    chain_id: Annotated[int, Field(ge=1, le=U32_MAX)]
    hrp: Prefix
    genesis_time_ms: Annotated[int, Field(ge=0, le=2**53)]
    seeds: Annotated[list[Seed], Field(max_length=64)]


class ParamsSection(_Model):
    """`inos.consensus.params.Params`, field by field, with the ranges a network can run in."""

    spacing_ms: Annotated[int, Field(ge=50, le=86_400_000)]
    asert_half_life_ms: DurationMs
    genesis_target: Hex256
    max_target: Hex256
    max_future_ms: DurationMs
    median_time_blocks: Annotated[int, Field(ge=1, le=11)]
    max_block_bytes: Annotated[int, Field(ge=MIN_BLOCK_BYTES, le=MAX_BLOCK_BYTES)]

    subsidy_initial: Amount
    subsidy_decay_interval: Blocks
    subsidy_tail: Amount

    burn_per_mille: Annotated[int, Field(ge=0, le=1_000_000)]
    byte_burn_per_mille: Annotated[int, Field(ge=0, le=1_000_000)]
    job_fee: Amount
    account_fee: Amount

    max_checked_bytes: Annotated[int, Field(ge=1 << 16, le=1 << 30)]
    max_checked_block_bytes: Annotated[int, Field(ge=1 << 16, le=1 << 32)]
    max_optimistic_bytes: Annotated[int, Field(ge=1 << 16, le=1 << 40)]
    max_block_cost_us: Annotated[int, Field(ge=1000, le=3_600_000_000)]
    min_bond: Amount
    min_claim_window: Blocks
    max_claim_window: Blocks
    max_job_lifetime: Blocks
    base_open_claims: Annotated[int, Field(ge=1, le=10_000)]
    reputation_per_claim: Amount
    max_open_claims: Annotated[int, Field(ge=1, le=10_000)]

    reputation_half_life: Blocks
    job_retention: Blocks
    result_depth: Blocks

    challenge_window: Blocks
    jury_size: Annotated[int, Field(ge=1, le=101)]
    jury_window: Annotated[int, Field(ge=3, le=MAX_BLOCKS)]
    jury_mib_fee: Amount
    epoch_blocks: Annotated[int, Field(ge=1, le=100_000)]
    finality_start: Annotated[int, Field(ge=0, le=MAX_BLOCKS)]
    bond_leverage: Annotated[int, Field(ge=1, le=1_000_000)]
    max_voters: Annotated[int, Field(ge=1, le=65_536)]
    min_voter_bond: Amount
    unbonding_epochs: Annotated[int, Field(ge=1, le=100_000)]

    @model_validator(mode="after")
    def _check_order(self) -> Self:
        """Check pairs of which one value bounds the other."""
        for low, high in (
            ("subsidy_tail", "subsidy_initial"),
            ("max_checked_bytes", "max_checked_block_bytes"),
            ("min_claim_window", "max_claim_window"),
            ("max_claim_window", "max_job_lifetime"),
            ("base_open_claims", "max_open_claims"),
            ("spacing_ms", "asert_half_life_ms"),
        ):
            if int(getattr(self, low)) > int(getattr(self, high)):
                raise ValueError(f"{low} is above {high}")
        if not 1 <= int(self.genesis_target, 16) <= int(self.max_target, 16):
            raise ValueError("genesis_target must be at least 1 and not above max_target")
        if int(self.reputation_per_claim) < 1 or int(self.min_voter_bond) < 1:
            raise ValueError("reputation_per_claim and min_voter_bond must be at least 1 nano")
        result_us = RESULT_US + compute_product_cost(self.max_checked_bytes)
        if 2 * result_us > self.max_block_cost_us:
            raise ValueError(
                f"max_block_cost_us must be at least {2 * result_us}: a result of max_checked_bytes has to fit beside "
                "the work at a block's start"
            )
        if self.unbonding_epochs < MIN_UNBONDING_EPOCHS:
            raise ValueError(
                f"unbonding_epochs must be at least {MIN_UNBONDING_EPOCHS}: a committee may vote that long"
            )
        return self


class GenesisFile(_Model):
    """The whole file. `allocations` maps addresses to the nano they own from the start."""

    network: NetworkSection
    params: ParamsSection
    allocations: dict[str, Amount]

    @model_validator(mode="after")
    def _check_allocations(self) -> Self:
        total = sum(self.get_allocations().values())
        if total > U64_MAX:
            raise ValueError(f"allocations add up to {total} nano, more than 2^64 - 1")
        return self

    def get_allocations(self) -> dict[Address, Nano]:
        """Return allocations by address bytes; ValueError names an address that is wrong or of another network."""
        decoded: dict[Address, Nano] = {}
        for text, amount in self.allocations.items():
            address = _decode_address(self.network.hrp, text)
            if address in decoded:
                raise ValueError(f"allocations.{text}: the address occurs twice")
            decoded[address] = Nano(int(amount))
        return decoded


def _decode_address(hrp: str, text: str) -> Address:
    try:
        prefix, data = bech32m.decode(text)
    except bech32m.Bech32mError as error:
        raise ValueError(f"allocations.{text}: not an address: {error}") from error
    if prefix != hrp or len(data) != ADDRESS_BYTES:
        raise ValueError(f"allocations.{text}: not an address of this network, whose addresses begin with {hrp}1")
    return Address(data)
