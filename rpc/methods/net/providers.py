"""net_findProviders and net_provide: which nodes have which matrix."""

from typing import Annotated, Final

from pydantic import Field

from inos.primitives.errors import MatrixMissing
from inos.primitives.units import MatrixId
from inos.rpc.errors import make_not_found
from inos.rpc.method import Example, method
from inos.rpc.models.values import Count, Hash, Model
from inos.rpc.ports import NodePort

MAX_PROVIDERS: Final = 20


class FindProvidersParams(Model):
    id: Annotated[Hash, Field(description="The matrix's id.")]
    limit: Annotated[int, Field(ge=1, le=MAX_PROVIDERS, description="The number of providers to stop at.")] = 3


class ProviderModel(Model):
    """A node that has the matrix."""

    id: Annotated[Hash, Field(description="The node's id.")]
    host: Annotated[str, Field(description="Its host.")]
    port: Annotated[int, Field(ge=1, le=65_535, description="Its port.")]


class ProviderListModel(Model):
    """Nodes that have the matrix."""

    count: Annotated[Count, Field(description="The number of providers found.")]
    providers: Annotated[list[ProviderModel], Field(description="The providers.")]


class ProvideParams(Model):
    id: Annotated[Hash, Field(description="The id of a matrix that this node stores.")]


class AnnouncedMatrixModel(Model):
    """The result of announcing a matrix."""

    recorded_by: Annotated[Count, Field(description="The number of nodes that keep a record of it.")]


@method("net_findProviders", timeout_s=90.0, waits=True, examples=(Example("who has this matrix", {"id": "00" * 32}),))
async def net_find_providers(node: NodePort, params: FindProvidersParams) -> ProviderListModel:
    """Find other nodes that have a matrix. Each has just delivered a strip of it on request."""
    found = await node.p2p.routing.find_providers(MatrixId(bytes.fromhex(params.id)), params.limit)
    providers = [ProviderModel(id=each.id.hex(), host=each.host, port=each.port) for each in found]
    return ProviderListModel(count=len(providers), providers=providers)


@method("net_provide", timeout_s=90.0, is_protected=True, waits=True)
async def net_provide(node: NodePort, params: ProvideParams) -> AnnouncedMatrixModel:
    """Announce a stored matrix to the nodes whose ids are nearest to its own, at once.

    The node announces all its matrices in turn without being asked.
    """
    try:
        return AnnouncedMatrixModel(recorded_by=await node.p2p.routing.provide(MatrixId(bytes.fromhex(params.id))))
    except MatrixMissing as error:
        raise make_not_found("matrix", params.id) from error
