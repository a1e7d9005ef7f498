"""Blocks that are valid but for one rule each: the rule is named, the sender is banned for it, and nobody else."""

import asyncio
from typing import Any, Final

import msgspec

from inos.consensus.codes import Code
from inos.network.link import Link
from inos.network.sync.relay.compact import make_compact
from inos.network.wire.base import Message
from inos.network.wire.chain import AnnounceBlock
from inos.network.wire.compact import CompactBlock
from inos.primitives.blocks import Block, Header
from inos.primitives.matrices import DType, Seal, make_matrix_ref
from inos.primitives.units import Hash, MatrixId
from simulation.common import check_honest, make_network, make_params, mine_evenly
from simulation.report import Report
from support.chain_maker import MadeBlock
from support.sim_attacker import Attacker
from support.sim_node import SimNode
from support.sim_world import World, simulate

SPACING_S: Final = 5.0
HISTORY: Final = 10
IDS_PER_FAULT: Final = 2


def spoil_header(header: Header, parent: Header) -> dict[Code, dict[str, Any]]:
    """Return the changes that each break one rule of a header that a peer must not pass on."""
    target = int.from_bytes(header.target, "big")
    return {
        Code.BAD_VERSION: {"version": header.version + 1},
        Code.WRONG_CHAIN_ID: {"chain_id": header.chain_id + 1},
        Code.TARGET_OUT_OF_RANGE: {"target": bytes(32)},
        Code.BAD_TARGET: {"target": (target - 1).to_bytes(32, "big")},
        Code.MISSING_SEAL: {"seal": None},
        Code.BAD_HEIGHT: {"height": header.height + 1},
        Code.TIME_TOO_OLD: {"time_ms": parent.time_ms - 10**6},
    }


def spoil_seal(seal: Seal) -> dict[Code, dict[str, Any]]:
    """Return the changes that each break one rule of a seal in the header."""
    wrong_id = msgspec.structs.replace(seal.x, id=MatrixId(bytes(32)))
    return {
        Code.TICKET_OUT_OF_RANGE: {"i": 1},
        Code.DIGEST_ABOVE_TARGET: {"digest": b"\xff" * 32},
        Code.BAD_MATRIX_ID: {"x": wrong_id},
        Code.BAD_DIMENSIONS: {"w": make_matrix_ref(DType.INT7, seal.w.rows, 0, Hash(seal.w.root))},
        Code.DEPTH_MISMATCH: {"x": make_matrix_ref(DType.INT7, seal.x.rows, seal.x.cols + 1, Hash(seal.x.root))},
    }


INNOCENT: Final = frozenset({Code.BAD_PARENT, Code.TIME_TOO_NEW, Code.BAD_STATE_ROOT})
"""A peer may pass these on without knowing better: it has another chain, another clock, or has not executed."""


class Faulty(Attacker):
    """It sends one block that breaks one rule, to each victim and in both ways."""

    def __init__(self, world: World, number: int, code: Code, made: MadeBlock) -> None:
        super().__init__(world, number)
        self.code = code
        self.made = made

    async def on_link(self, link: Link) -> None:
        await self.send(link, AnnounceBlock(self.made.block.header))
        await self.send(link, CompactBlock(make_compact(self.made.block, self.made.witness, 1)))

    async def on_message(self, link: Link, message: Message) -> None:
        return


def make_faults(world: World, made: MadeBlock, parent: Header, number: int) -> dict[Code, MadeBlock]:
    """Return for each rule a mined block that breaks it alone; another `number` makes other forgeries of the seal."""
    header = made.block.header
    assert header.seal is not None
    changes = spoil_header(header, parent)
    changes |= {
        code: {"seal": msgspec.structs.replace(header.seal, **each)} for code, each in spoil_seal(header.seal).items()
    }
    changes |= {
        Code.BAD_PARENT: {"parent": b"p" * 32},
        Code.TIME_TOO_NEW: {"time_ms": header.time_ms + 10**9},
        Code.BAD_STATE_ROOT: {"state_root": b"s" * 32},
    }
    found = {}
    for code, each in changes.items():
        block = Block(msgspec.structs.replace(header, **each), made.block.transactions, made.block.aggregate)
        found[code] = MadeBlock(block, made.witness)
        world.mint.mined[found[code].id] = made.witness
    # The seal is that of the valid twin, under which nobody mined this block.
    forged = Block(
        msgspec.structs.replace(header, nonce=header.nonce ^ (1 + number)),
        made.block.transactions,
        made.block.aggregate,
    )
    found[Code.DIGEST_MISMATCH] = MadeBlock(forged, made.witness)
    return found


def list_ban_reasons(node: SimNode) -> dict[bytes, str]:
    return {ban.subject: ban.reason for ban in node.net.bans.list_ids()}


def run_single_faults(seed: int, count: int) -> Report:
    """Peers send blocks that break one rule each to every node; two ids for each rule."""

    async def scenario(world: World) -> Report:
        nodes = make_network(world, count)
        await world.start()
        mine_evenly(world, nodes)
        await world.until(lambda: len(world.found) >= HISTORY, 20 * SPACING_S * HISTORY)
        world.stop_mining()
        await asyncio.sleep(5)
        await world.settle(nodes, 30)
        block, allowed = await nodes[0].draft()
        made = world.mint.seal(block, allowed)
        parent = nodes[0].ledger.tip.header
        # A second copy of a block that is being checked is no news, so each id forges a seal of its own.
        faults = [make_faults(world, made, parent, number) for number in range(IDS_PER_FAULT)]
        kinds = [(code, bad) for each in faults for code, bad in each.items()]
        attackers = [Faulty(world, number, code, bad) for number, (code, bad) in enumerate(kinds)]
        for attacker in attackers:
            attacker.attack(nodes)
        await asyncio.sleep(20)
        for node in nodes:
            reasons = list_ban_reasons(node)
            for attacker in attackers:
                expected = None if attacker.code in INNOCENT else attacker.code
                assert reasons.get(attacker.id) == expected, (node.index, attacker.code, reasons.get(attacker.id))
            assert len(reasons) == sum(each.code not in INNOCENT for each in attackers)
        world.note_found(nodes[0], made)
        await nodes[0].core.blocks.add(made.block, made.witness)
        await world.until_agreed(nodes, 30)
        assert nodes[-1].ledger.tip.id == made.id, "the valid twin of all of them is taken"
        check_honest(world, nodes)
        invariant = "each fault has its rule's name and bans its sender; the valid twin connects everywhere"
        figures = {"rules": str(len(faults[0])), "bans of one node": str(len(list_ban_reasons(nodes[0])))}
        return Report("single faults", seed, count, world.now, invariant, figures, world.trace)

    return simulate(scenario, seed, params=make_params(SPACING_S))
