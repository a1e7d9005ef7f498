"""Tests votes between nodes: relayed, requested when nodes connect, and what a forged one costs."""

from inos.network.wire.limits import LIMITS
from inos.network.wire.messages import encode_message
from inos.network.wire.votes import MAX_ANNOUNCED_VOTES, MAX_VOTES, AnnounceVotes, GetVotes, Votes
from inos.primitives.votes import Checkpoint, Link, Vote
from support.network_fakes import FakeNode, get_address, make_service, raw_link, running, until
from support.raw_links import hear, hear_end, is_refused, say, start_pair


def make_vote(number: int, epoch: int = 3) -> Vote:
    link = Link(Checkpoint(epoch - 1, b"\1" * 32), Checkpoint(epoch, b"\2" * 32))
    return Vote(link, number.to_bytes(48, "big"), bytes(96))


def test_the_largest_messages_fit_their_limits() -> None:
    far = Link(Checkpoint(2**64 - 2, b"\1" * 32), Checkpoint(2**64 - 1, b"\2" * 32))
    vote = Vote(far, bytes(48), bytes(96))
    assert len(encode_message(AnnounceVotes((vote,) * MAX_ANNOUNCED_VOTES))) <= LIMITS[AnnounceVotes].max_bytes
    assert len(encode_message(Votes(2**32 - 1, (vote,) * MAX_VOTES))) <= LIMITS[Votes].max_bytes


async def test_votes_go_along_a_line_of_three() -> None:
    nodes = [FakeNode() for _ in range(3)]
    first, second = await start_pair(nodes[0], nodes[1])
    await second.start()
    third = make_service(nodes[2], 3, get_address(second))
    async with running(first, second, third):
        await until(lambda: len(second.peers()) == 2)
        for number in range(20):
            await nodes[0].votes.add(make_vote(number))
        await until(lambda: len(nodes[2].votes.all) == 20)
        assert nodes[2].votes.all.keys() == nodes[0].votes.all.keys()


async def test_a_new_peer_is_asked_what_it_has_page_by_page() -> None:
    full, empty = FakeNode(), FakeNode()
    for epoch in (1, 2, 3):
        for number in range(200):
            await full.votes.add(make_vote(number, epoch))
    first, second = await start_pair(full, empty)
    async with running(first, second):
        await until(lambda: len(empty.votes.all) == 600)


async def test_a_forged_vote_is_a_ban_and_goes_no_further() -> None:
    node, witness = FakeNode(), FakeNode()
    node.votes.refused.add(make_vote(7).key)
    first, second = await start_pair(node, witness)
    async with running(first, second):
        await until(lambda: second.peers())
        async with raw_link(9, get_address(first)) as link:
            request = await hear(link, GetVotes)
            await say(link, Votes(request.request, ()))
            await say(link, AnnounceVotes((make_vote(7),)))
            await hear_end(link)
        assert await is_refused(first, 9)
        assert not witness.votes.all


async def test_too_many_notices_of_votes_are_a_ban() -> None:
    node = FakeNode()
    service = make_service(node, 1)
    await service.start()
    async with running(service), raw_link(9, get_address(service)) as link:
        for _ in range(LIMITS[AnnounceVotes].burst + 60):
            await say(link, AnnounceVotes((make_vote(1),)))
        await hear_end(link)
        assert await is_refused(service, 9)
