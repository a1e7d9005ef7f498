"""Finality: who votes on checkpoints, what a vote may say, and what a quorum of votes does.

It is Casper FFG over the proof-of-work chain (docs/protocol.md, Finality). It does not choose between chains: `chain`
reads the finalized checkpoint and stays on its branch. `core` handles votes that are not in a block yet.

Pipeline: `voters` (register, unbond, withdraw) and `mined` (subsidies of each account's blocks) -> `aggregates`, if a
block carries one with a `quorum`: the target is justified, its source is final if it is the epoch before, and the
epoch's pot is paid (`pots`) -> `checkpoints`, in the first block after one: the link to vote on, and a `committee`
chosen from the voters -> `evidence`: a voter who signs two conflicting votes loses the bond. `trust` follows all of
this without executing blocks.
"""

from inos.consensus.finality.aggregates import check_aggregate, check_block_aggregate, is_open, process_aggregate
from inos.consensus.finality.checkpoints import get_voting_committee, process_epoch_start
from inos.consensus.finality.committee import choose_committee
from inos.consensus.finality.epochs import (
    compute_epoch,
    compute_height,
    compute_passed_epoch,
    compute_span,
    is_before_start,
    is_checkpoint,
)
from inos.consensus.finality.evidence import check_evidence_sanity, process_report
from inos.consensus.finality.mined import add_mined, compute_mined, compute_network_mined
from inos.consensus.finality.pots import add_to_pot, compute_pot_part
from inos.consensus.finality.quorum import can_reach_quorum, compute_quorum, compute_weight, is_quorum
from inos.consensus.finality.voters import (
    check_register_sanity,
    cut_bond,
    process_register,
    process_unbond,
    process_withdraw,
)

__all__ = [
    "add_mined",
    "add_to_pot",
    "can_reach_quorum",
    "check_aggregate",
    "check_block_aggregate",
    "check_evidence_sanity",
    "check_register_sanity",
    "choose_committee",
    "compute_epoch",
    "compute_height",
    "compute_mined",
    "compute_network_mined",
    "compute_passed_epoch",
    "compute_pot_part",
    "compute_quorum",
    "compute_span",
    "compute_weight",
    "cut_bond",
    "get_voting_committee",
    "is_before_start",
    "is_checkpoint",
    "is_open",
    "is_quorum",
    "process_aggregate",
    "process_epoch_start",
    "process_register",
    "process_report",
    "process_unbond",
    "process_withdraw",
]
