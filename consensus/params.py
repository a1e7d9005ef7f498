"""Every consensus parameter of a network, as typed values. `genesis` reads them from a file."""

from msgspec import Struct

from inos.primitives.units import DurationMs, Height, Nano, Target


class Params(Struct, frozen=True, kw_only=True):
    """The parameters on which all nodes of one network agree before the first block."""

    network: str
    """Name shown to users; it is also part of the prefix of the network's addresses."""
    chain_id: int

    spacing_ms: DurationMs
    """Intended time between blocks."""
    asert_half_life_ms: DurationMs
    """The target doubles for each such time that the chain is behind schedule."""
    genesis_target: Target
    """Target of block 1."""
    max_target: Target
    """Easiest target allowed; ASERT's result is limited to it."""
    max_future_ms: DurationMs
    """A block further ahead of a node's clock than this is held."""
    median_time_blocks: int
    """Blocks whose median time a new block must exceed."""
    max_block_bytes: int
    """Largest encoded block, without its witness."""

    subsidy_initial: Nano
    subsidy_decay_interval: int
    """Blocks between two cuts of the subsidy by a hundredth."""
    subsidy_tail: Nano
    """Lower limit of the subsidy."""

    burn_per_mille: int
    """A job of D tickets burns this part of a subsidy."""
    byte_burn_per_mille: int
    """A checked job of `max_checked_block_bytes` bytes burns this part of a subsidy besides."""
    job_fee: Nano
    """Nano that each job burns for its place in the state."""
    account_fee: Nano
    """Nano burned from a transfer that makes a new account."""

    max_checked_bytes: int
    """Limit for operands and result of a checked job together."""
    max_checked_block_bytes: int
    """Limit for the distinct matrices that a block's checked results name."""
    max_optimistic_bytes: int
    """Limit for operands and result of an optimistic job together."""
    max_block_cost_us: int
    """Microseconds of the reference core that executing a block may take, by the cost table."""
    min_bond: Nano
    min_claim_window: int
    max_claim_window: int
    max_job_lifetime: int
    """Largest distance in blocks from posting to deadline."""
    base_open_claims: int
    """Claims that an account without reputation may hold."""
    reputation_per_claim: Nano
    """Reputation that allows one more open claim."""
    max_open_claims: int

    reputation_half_life: int
    """Blocks after which reputation and mined figures halve."""
    job_retention: int
    """Blocks for which a closed job stays in the state."""
    result_depth: int
    """Blocks for which a node serves the matrices of a result; deeper results count as checked."""

    challenge_window: int
    """Blocks during which an optimistic result can be challenged or disputed."""
    jury_size: int
    """Seats of a jury."""
    jury_window: int
    """Blocks for committing (two thirds) and opening (the rest) a jury's verdicts."""
    jury_mib_fee: Nano
    """Least pay of one seat for each MiB of a disputed job."""
    epoch_blocks: int
    """Blocks per finality epoch."""
    finality_start: int
    """Height below which no checkpoint is voted on."""
    bond_leverage: int
    """A voter weighs at most this many times its bond."""
    max_voters: int
    min_voter_bond: Nano
    """Smallest bond of a voter."""
    unbonding_epochs: int
    """Epochs from unbonding until the bond can be withdrawn; until then evidence can still burn it."""


def compute_subsidy(params: Params, height: Height) -> Nano:
    """Return `initial`, cut to 99/100 in integer steps every `decay_interval` blocks, and never below `tail`."""
    subsidy = int(params.subsidy_initial)
    for _ in range(height // params.subsidy_decay_interval):
        if subsidy <= params.subsidy_tail:
            break
        subsidy = subsidy * 99 // 100
    return Nano(max(subsidy, params.subsidy_tail))
