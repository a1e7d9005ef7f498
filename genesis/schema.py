"""The genesis file as pydantic models: strict types, ranges, no unknown and no missing field.

Amounts are decimal strings in nano, since JSON readers may take large numbers as floats;
targets are 64 hex digits; addresses bech32m under the file's own prefix.
"""

from typing import Annotated, Final, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints, model_validator

from inos.primitives import bech32m
from inos.primitives.transactions import SMALL_TX_BYTES
from inos.primitives.units import ADDRESS_BYTES, U32_MAX, U64_MAX, Address, Nano

MIN_BLOCK_BYTES: Final = 16 * SMALL_TX_BYTES
MAX_BLOCK_BYTES: Final = 64 << 20
YEAR_MS: Final = 366 * 86_400_000
MAX_BLOCKS: Final = 10**9
"""Upper bound of every span counted in blocks; keeps heights far from 64 bits."""


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

    merit_premium: Annotated[int, Field(ge=1, le=1000)]

    base_fee_initial: Amount
    base_fee_floor: Amount
    base_fee_change_denominator: Annotated[int, Field(ge=2, le=10_000)]
    useful_target_percent: Annotated[int, Field(ge=1, le=100)]

    max_checked_bytes: Annotated[int, Field(ge=1 << 16, le=1 << 30)]
    min_bond: Amount
    min_claim_window: Blocks
    max_claim_window: Blocks
    max_job_lifetime: Blocks
    base_open_claims: Annotated[int, Field(ge=1, le=10_000)]
    reputation_per_claim: Annotated[int, Field(ge=1, le=2**53)]
    max_open_claims: Annotated[int, Field(ge=1, le=10_000)]

    reputation_half_life: Blocks

    challenge_window: Blocks
    epoch_blocks: Annotated[int, Field(ge=1, le=100_000)]
    min_voter_bond: Amount
    unbonding_epochs: Annotated[int, Field(ge=1, le=100_000)]

    @model_validator(mode="after")
    def _check_order(self) -> Self:
        """Check pairs of which one value bounds the other."""
        for low, high in (
            ("subsidy_tail", "subsidy_initial"),
            ("base_fee_floor", "base_fee_initial"),
            ("min_claim_window", "max_claim_window"),
            ("max_claim_window", "max_job_lifetime"),
            ("base_open_claims", "max_open_claims"),
            ("spacing_ms", "asert_half_life_ms"),
        ):
            if int(getattr(self, low)) > int(getattr(self, high)):
                raise ValueError(f"{low} is above {high}")
        if not 1 <= int(self.genesis_target, 16) <= int(self.max_target, 16):
            raise ValueError("genesis_target must be at least 1 and not above max_target")
        if int(self.base_fee_floor) < 1:
            raise ValueError("base_fee_floor must be at least 1 nano, or posting jobs to oneself costs nothing")
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
