"""job_prove: the proof that a job is in the state, from which a receipt is made."""

from typing import Annotated

from pydantic import Field

from inos.consensus.records import job_key
from inos.primitives.codec import encode
from inos.primitives.units import JobId
from inos.rpc.method import method
from inos.rpc.methods.job.jobs import JobParams
from inos.rpc.models.chain import StateProofModel
from inos.rpc.models.render import render_proof
from inos.rpc.models.values import BlockHeight, HexBytes, Model
from inos.rpc.ports import NodePort


class JobProofModel(Model):
    """A job's record in the tip's state, with everything that is needed to check it without a node."""

    height: Annotated[BlockHeight, Field(description="The height of the tip.")]
    header: Annotated[
        HexBytes, Field(description="The canonical encoding of the tip's header, whose state root the proof leads to.")
    ]
    witness: Annotated[
        HexBytes | None, Field(description="The canonical encoding of the witness of the tip's seal; null if not kept.")
    ]
    proof: Annotated[StateProofModel, Field(description="The proof of the job's record.")]


@method("job_prove")
async def job_prove(node: NodePort, params: JobParams) -> JobProofModel:
    """Return a job's record with its Merkle proof against the tip's state, and the tip's header and witness.

    Together with the headers that follow (chain_getRawHeaders) it is a receipt; `inos job receipt` writes one.
    """
    key = job_key(JobId(bytes.fromhex(params.id)))
    reader = node.ledger.reader
    tip, (value, proof) = reader.tip, reader.prove(key)
    witness = node.ledger.get_witness(tip.id)
    return JobProofModel(
        height=tip.header.height,
        header=encode(tip.header).hex(),
        witness=None if witness is None else encode(witness).hex(),
        proof=render_proof(key, tip.id, tip.header, value, proof),
    )
