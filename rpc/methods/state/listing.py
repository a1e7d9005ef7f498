"""state_listAccounts: accounts ranked by what they have, by blocks mined, or by work settled."""

import re
from typing import Annotated, Final, Literal

from pydantic import Field, StringConstraints

from inos.chain.ranking import Ranking
from inos.consensus.state import compute_reputation
from inos.primitives.units import U64_MAX, Address, Height
from inos.rpc.errors import make_invalid_param
from inos.rpc.method import Example, method
from inos.rpc.methods.job.track_record import PosterRecordModel, WorkerRecordModel, render_poster, render_worker
from inos.rpc.models.render import make_renderer, read_address
from inos.rpc.models.values import AccountAddress, BigInteger, BlockHeight, Count, Model, NanoAmount
from inos.rpc.ports import NodePort

MAX_ACCOUNTS: Final = 200
CURSOR: Final = re.compile(r"(?P<value>[0-9]{1,20})-(?P<address>[a-z0-9]{1,100})")
RANKINGS: Final = {"holdings": Ranking.HOLDINGS, "mined": Ranking.MINED, "settled": Ranking.SETTLED}


class ListAccountsParams(Model):
    by: Annotated[
        Literal["holdings", "mined", "settled"],
        Field(
            description='What accounts are ranked by. "holdings": balance and bonds. "mined": blocks mined. "settled": '
            "tickets of jobs that it computed and was paid for. Accounts with 0 are left out."
        ),
    ] = "holdings"
    after: Annotated[
        str | None,
        StringConstraints(max_length=130),
        Field(description="The `next` of the page before; null for the first page."),
    ] = None
    limit: Annotated[int, Field(ge=1, le=MAX_ACCOUNTS, description="The most accounts to list.")] = 50


class RankedAccountModel(Model):
    """An account with what it has and has done."""

    address: Annotated[AccountAddress, Field(description="The account's address.")]
    value: Annotated[BigInteger, Field(description="What it is ranked by: nano, blocks or tickets.")]
    balance: Annotated[NanoAmount, Field(description="What the account can spend.")]
    bonded: Annotated[NanoAmount, Field(description="What it has in bonds of claims and of its voter.")]
    reputation: Annotated[BigInteger, Field(description="Its reputation in nano, halved up to the tip.")]
    mined: Annotated[Count, Field(description="Blocks that it mined.")]
    worker: Annotated[WorkerRecordModel, Field(description="The account as a worker.")]
    poster: Annotated[PosterRecordModel, Field(description="The account as a poster.")]


class AccountPageModel(Model):
    """A page of accounts."""

    accounts: Annotated[list[RankedAccountModel], Field(description="The accounts, the largest value first.")]
    next: Annotated[str | None, Field(description="Pass it as `after` to get the next page; null at the end.")]
    height: Annotated[BlockHeight, Field(description="The height of the block whose state this is.")]
    counted_from: Annotated[
        BlockHeight,
        Field(description="Blocks and jobs are counted from this height on: 1, or later if the node began there."),
    ]


@method("state_listAccounts", examples=(Example("the richest two", {"limit": 2}),))
async def state_list_accounts(node: NodePort, params: ListAccountsParams) -> AccountPageModel:
    """List accounts by what they have, by the blocks they mined or by the work they settled, a page at a time.

    Pages are read from an index, and none costs more than another. Values may change between two pages.
    """
    reader = node.ledger.reader
    after = None if params.after is None else _read_cursor(node, params.after)
    found = reader.list_ranking(RANKINGS[params.by], after=after, limit=params.limit + 1)
    accounts = [_render(node, address, value) for address, value in found[: params.limit]]
    is_last = len(found) <= params.limit
    return AccountPageModel(
        accounts=accounts,
        next=None if is_last else f"{accounts[-1].value}-{accounts[-1].address}",
        height=reader.tip.header.height,
        counted_from=node.ledger.base_height + 1,
    )


def _render(node: NodePort, address: Address, value: int) -> RankedAccountModel:
    reader = node.ledger.reader
    account, record = reader.state.get_account(address), reader.get_record(address)
    return RankedAccountModel(
        address=make_renderer(node).address(address),
        value=str(value),
        balance=str(account.balance),
        bonded=str(account.bonded),
        reputation=str(compute_reputation(node.params, account, Height(reader.tip.header.height))),
        mined=record.mined,
        worker=render_worker(record.worker),
        poster=render_poster(record.poster),
    )


def _read_cursor(node: NodePort, text: str) -> tuple[int, Address]:
    match = CURSOR.fullmatch(text)
    if match is None or int(match["value"]) > U64_MAX:
        raise make_invalid_param("after", f"{text!r} is not the `next` of a page", code="bad-cursor")
    return int(match["value"]), read_address(node, match["address"], "after")
