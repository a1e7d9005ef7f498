"""net_addresses: the address book."""

from typing import Annotated

from pydantic import Field

from inos.rpc.method import method
from inos.rpc.models.values import Count, Hash, Model, UnixMs
from inos.rpc.ports import NodePort


class KnownAddressModel(Model):
    """An address of the address book. Times are null if the event never happened."""

    id: Annotated[Hash, Field(description="The node's id.")]
    host: Annotated[str, Field(description="Its host.")]
    port: Annotated[Count, Field(description="Its port.")]
    group: Annotated[str, Field(description="The network group, which addresses of one operator have in common.")]
    is_tried: Annotated[bool, Field(description="True if the node was reached at this address.")]
    is_connected: Annotated[bool, Field(description="True if the node is a peer now.")]
    last_seen_ms: Annotated[UnixMs, Field(description="When a peer last announced the address.")]
    last_attempt_ms: Annotated[UnixMs | None, Field(description="When this node last dialled it.")]
    last_success_ms: Annotated[UnixMs | None, Field(description="When this node last reached it.")]
    failed_attempts: Annotated[Count, Field(description="Failed attempts since it was last reached.")]


class AddressesParams(Model):
    limit: Annotated[int, Field(ge=1, le=1000, description="The most addresses to list.")] = 100


class AddressBookModel(Model):
    """The address book."""

    count: Annotated[Count, Field(description="The number of addresses in the whole book.")]
    addresses: Annotated[list[KnownAddressModel], Field(description="Addresses, the last seen first.")]


@method("net_addresses", is_protected=True)
async def net_addresses(node: NodePort, params: AddressesParams) -> AddressBookModel:
    """List the address book: every node that this one has heard of."""
    found = node.p2p.list_addresses()
    connected = {peer.id for peer in node.p2p.peers()}
    addresses = [
        KnownAddressModel(
            id=each.id.hex(),
            host=each.host,
            port=each.port,
            group=each.group,
            is_tried=each.is_tried,
            is_connected=each.id in connected,
            last_seen_ms=each.seen_ms,
            last_attempt_ms=each.attempt_ms or None,
            last_success_ms=each.reached_ms or None,
            failed_attempts=each.attempts,
        )
        for each in found[: params.limit]
    ]
    return AddressBookModel(count=len(found), addresses=addresses)
