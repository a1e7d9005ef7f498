"""What a juror commits to and signs (protocol, section 5). The rules of juries are in `inos.consensus.jury`.

A verdict is committed first and opened later, so that no juror can copy another's. The signatures bind the height at
which the jury was drawn, so that a vote in one dispute cannot be repeated in a later dispute of the same job.
"""

from inos.primitives.codec import encode
from inos.primitives.hashing import Context, compute_hash
from inos.primitives.transactions import JuryReveal, JuryVote, Verdict
from inos.primitives.units import Hash, Height, JobId


def compute_commitment(verdict: Verdict, salt: bytes, key: bytes) -> Hash:
    """Return H("jury verdict", verdict u8 || salt || key). The key keeps one juror from copying another's
    commitment.
    """
    return compute_hash(Context.JURY_VERDICT, bytes([verdict]) + salt + key)


def compute_vote_hash(chain_id: int, job: JobId, drawn_at: Height, commitment: bytes) -> Hash:
    """Return H("jury commitment", encoding of [chain id, job, drawn at, commitment]), which the juror's BLS key
    signs.
    """
    return compute_hash(Context.JURY_COMMITMENT, encode((chain_id, job, drawn_at, commitment)))


def compute_reveal_hash(chain_id: int, job: JobId, drawn_at: Height, verdict: Verdict, salt: bytes) -> Hash:
    """Return H("jury reveal", encoding of [chain id, job, drawn at, verdict, salt]), which the juror's BLS key
    signs.
    """
    return compute_hash(Context.JURY_REVEAL, encode((chain_id, job, drawn_at, verdict, salt)))


def compute_payload_hash(chain_id: int, payload: JuryVote | JuryReveal) -> Hash:
    """Return the hash that the payload's signature must sign."""
    job, drawn_at = JobId(payload.job), Height(payload.drawn_at)
    if isinstance(payload, JuryVote):
        return compute_vote_hash(chain_id, job, drawn_at, payload.commitment)
    return compute_reveal_hash(chain_id, job, drawn_at, payload.verdict, payload.salt)
