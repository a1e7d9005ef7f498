"""node_stop."""

from typing import Annotated, Literal

from pydantic import Field

from inos.rpc.method import method
from inos.rpc.models.values import Model, NoParams
from inos.rpc.ports import NodePort


class StoppingModel(Model):
    """The node's answer to node_stop."""

    stopping: Annotated[Literal[True], Field(description="Always true: the node is stopping.")]


@method("node_stop", is_protected=True)
async def node_stop(node: NodePort, params: NoParams) -> StoppingModel:
    """Stop the node in order. The answer comes at once; the process ends when everything is closed."""
    node.request_stop()
    return StoppingModel(stopping=True)
