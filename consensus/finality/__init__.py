"""Finality: who votes on checkpoints, what a vote may say, and what more than two thirds of the votes do.

Casper FFG over the chain of proofs of work (protocol, section 7). It draws no conclusions for the choice of a
chain: `chain` reads the finalized checkpoint and keeps to it. Votes on their way are `node`'s.

Pipeline: `voters` (register, unbond, withdraw) -> `epochs`, in the first block after a checkpoint: the link to
vote on, and a committee chosen from the voters' reputation -> `aggregates`, where a block carries one: the link
is justified, and its source final -> `evidence`: whoever signed what nobody may sign both loses the bond.
"""

from inos.consensus.finality.aggregates import check_aggregate, compute_weight, is_supermajority, process_aggregate
from inos.consensus.finality.committee import choose_committee
from inos.consensus.finality.epochs import (
    compute_epoch,
    compute_height,
    is_checkpoint,
    make_ballot,
    process_epoch_start,
)
from inos.consensus.finality.evidence import check_evidence_sanity, process_report
from inos.consensus.finality.voters import (
    check_register_sanity,
    process_register,
    process_unbond,
    process_withdraw,
)

__all__ = [
    "check_aggregate",
    "check_evidence_sanity",
    "check_register_sanity",
    "choose_committee",
    "compute_epoch",
    "compute_height",
    "compute_weight",
    "is_checkpoint",
    "is_supermajority",
    "make_ballot",
    "process_aggregate",
    "process_epoch_start",
    "process_register",
    "process_report",
    "process_unbond",
    "process_withdraw",
]
