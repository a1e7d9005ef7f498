"""Bans keep out the worker that broke a rule, and nobody that it names."""

import pytest

from inos.workers.limits import MAX_BANS
from inos.workers.messages import Refused, Result
from inos.workers.server.bans import Bans, make_ban_keys
from support.work_lab import STRANGER, WorkLab

IDENTITY = b"\x07" * 16


@pytest.mark.parametrize(
    ("host", "is_fleet", "has_host"),
    [
        ("203.0.113.5", False, True),
        ("2001:db8::1", False, True),
        ("203.0.113.5", True, False),
        ("127.0.0.1", False, False),
        ("::1", False, False),
        ("", False, False),
    ],
)
def test_a_strangers_host_is_refused_too(host: str, is_fleet: bool, has_host: bool) -> None:
    keys = make_ban_keys(IDENTITY, host, is_fleet=is_fleet)
    assert keys == ((IDENTITY, host.encode()) if has_host else (IDENTITY,))


def test_bans_end_and_are_bounded() -> None:
    bans = Bans()
    bans.add([IDENTITY, b"host"], 100.0)
    bans.add([b"host"], 50.0)
    assert bans.get_rest([b"host"], 10.0) == 90.0
    assert bans.get_rest([b"other"], 10.0) == 0.0
    assert bans.get_rest([IDENTITY], 100.0) == 0.0
    bans.add([number.to_bytes(4, "big") for number in range(MAX_BANS)], 100.0)
    assert bans.get_rest([IDENTITY, b"host"], 10.0) == 0.0


async def test_nobody_gets_the_owner_of_a_payout_address_refused(pool_lab: WorkLab) -> None:
    async with pool_lab.join(token=None, address=STRANGER, identity=IDENTITY) as liar:
        start = await liar.start()
        shares = tuple(start.draw(1) * 2)
        await liar.send(Result(start.assignment.number, start.template.number, 2, shares, False))
        assert (await liar.hear(Refused)).code == "duplicate-share"
    async with pool_lab.join(token=None, address=STRANGER, identity=b"\x08" * 16) as victim:
        await victim.start()
    async with pool_lab.join(token=None, address=STRANGER, identity=IDENTITY) as again:
        assert (await again.hear(Refused)).code == "banned"
