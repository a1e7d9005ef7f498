"""The table of everything that a party without a proof can make a node spend, with its bound.

A party is a connection that has proven no id, a peer with a proven id, which costs nothing, or a caller of the RPC
without the token. Each row names the limits that the code uses, so a page made from it shows what is in force:
`python -m inos.node.exposure docs/security.md`. A test resolves every name, and finds the test that reaches the bound.
"""

import sys
from enum import StrEnum
from importlib import import_module
from pathlib import Path
from typing import Final

from msgspec import Struct

BEGIN: Final = "<!-- exposure: written by python -m inos.node.exposure -->\n"
END: Final = "<!-- end of exposure -->\n"


class Party(StrEnum):
    """A stranger stands in one of these relations to the node."""

    CONNECTION = "connection without a proven id"
    PEER = "peer"
    CALLER = "RPC without the token"


class Exposure(Struct, frozen=True):
    """A party can make the node spend this much of one resource."""

    party: Party
    resource: str
    """This kind of thing is spent: places, memory, disk, processor, time, log."""
    what: str
    bound: str
    """The bound, with one {} for each of `limits`."""
    limits: tuple[str, ...]
    """Each is `module:NAME` or `module:Class.field`, below `inos`."""
    at_bound: str
    test: str
    """The file below tests/ and the function of a test that reaches the bound."""


C, P, R = Party.CONNECTION, Party.PEER, Party.CALLER

TABLE: Final = (
    Exposure(
        C,
        "places",
        "unproven connections",
        "{}, {} of one address, {} of one network group",
        (
            "network.transport.newcomers:MAX_UNPROVEN",
            "network.transport.newcomers:MAX_UNPROVEN_PER_HOST",
            "network.transport.newcomers:MAX_UNPROVEN_PER_GROUP",
        ),
        "the oldest of the busiest address or group is closed",
        "unit/network/transport/test_newcomers.py::test_a_full_table_takes_the_oldest_of_the_busiest_group",
    ),
    Exposure(
        C,
        "places",
        "open sockets of the peer port",
        "{} unproven, the inbound slots, and {} on their way out",
        ("network.transport.newcomers:MAX_UNPROVEN", "network.transport.websocket:MAX_LEAVING"),
        "a new connection is closed at once",
        "unit/network/transport/test_websocket.py::test_all_connections_together_are_bounded",
    ),
    Exposure(
        C,
        "time",
        "a connection that proves nothing",
        "{} s",
        ("network.settings:TimeLimits.handshake",),
        "it is closed",
        "unit/network/transport/test_websocket.py::"
        "test_a_connection_that_stays_without_a_proof_is_closed_whatever_it_sends",
    ),
    Exposure(
        C,
        "memory",
        "bytes of one connection",
        "{} of HTTP; one frame of {} and {} unread messages",
        (
            "network.transport.upgrade:MAX_HEAD_BYTES",
            "network.transport.frames:MAX_MESSAGE_BYTES",
            "network.transport.pipe:MAX_UNREAD",
        ),
        "the connection is closed, or not read",
        "unit/network/transport/test_websocket.py::test_a_head_without_an_end_is_cut_off",
    ),
    Exposure(
        C,
        "processor",
        "handshakes",
        "{} a second, of 1.4 ms",
        ("network.transport.websocket:HANDSHAKES_PER_S",),
        "the others wait",
        "unit/network/transport/test_websocket.py::test_handshakes_are_answered_one_after_the_other",
    ),
    Exposure(
        C,
        "log",
        "lines while no descriptors are left",
        "one in {} s; an attempt every {} s",
        ("core.listener:LOG_EVERY_S", "core.listener:RETRY_S"),
        "nothing is accepted",
        "unit/core/test_listener.py::test_without_descriptors_it_waits_says_so_once_and_goes_on",
    ),
    Exposure(
        P,
        "places",
        "inbound slots",
        "{}, and {} for a few requests",
        ("network.settings:NetworkSettings.max_inbound", "network.settings:NetworkSettings.max_short"),
        "the youngest of the largest group that is not protected is evicted",
        "unit/network/peers/test_eviction.py::"
        "test_a_full_node_takes_a_newcomer_for_the_youngest_of_a_crowd_and_keeps_who_gave_blocks",
    ),
    Exposure(
        P,
        "memory",
        "changes that go on after their peer left",
        "{} of blocks, transactions, votes and matrices",
        ("core.threads:MAX_WAITING",),
        "the next waits; its peer may leave then, and nothing is changed",
        "unit/core/test_threads.py::"
        "test_peers_that_send_and_leave_again_and_again_leave_a_bounded_number_of_works_behind",
    ),
    Exposure(
        P,
        "processor",
        "work that a peer causes before anything is proven",
        "{} ms a second ({} at once), and {} ms a second for all together",
        (
            "network.wire.limits:RESERVE_MS_PER_S",
            "network.wire.limits:RESERVE_MS_BURST",
            "network.wire.limits:SHARED_MS_PER_S",
        ),
        "its messages are read later",
        "unit/network/peers/test_work_budget.py::"
        "test_a_peer_that_asks_too_much_waits_and_one_that_asks_little_never_does",
    ),
    Exposure(
        P,
        "processor",
        "frames that carry no message",
        "none; a message has at least {}, a piece that is not the last exactly {}",
        ("network.transport.frames:MIN_MESSAGE_BYTES", "network.wire.framing:PIECE_BYTES"),
        "the link ends",
        "unit/network/transport/test_websocket.py::test_frames_that_no_node_sends_end_the_link",
    ),
    Exposure(
        P,
        "processor",
        "messages of each kind",
        "the rates of [the table of messages](network.md#every-message); {} points are a ban",
        ("network.wire.limits:BAN",),
        "points, then a ban",
        "unit/network/test_service.py::test_flooding_above_the_rate_is_a_ban",
    ),
    Exposure(
        P,
        "memory",
        "unfinished messages",
        "one in each lane, up to the size of its kind; the largest that was not requested has {}",
        ("network.wire.limits:MAX_COMPACT_BYTES",),
        "points, and the link ends",
        "unit/network/peers/test_inbox.py::test_pieces_of_a_long_reply_that_nobody_requested_are_not_kept",
    ),
    Exposure(
        P,
        "memory",
        "notices that wait",
        "{} of {}, and {} of blocks of {}",
        (
            "network.peers.inbox:MAX_NOTICES",
            "network.peers.inbox:MAX_NOTICE_BYTES",
            "network.peers.inbox:MAX_URGENT",
            "network.peers.inbox:MAX_URGENT_BYTES",
        ),
        "the oldest are dropped",
        "unit/network/peers/test_inbox.py::test_notices_are_bounded_in_number_and_in_bytes",
    ),
    Exposure(
        P,
        "memory",
        "requests that wait",
        "{} of {}",
        ("network.wire.limits:MAX_WAITING_REQUESTS", "network.peers.peer:MAX_REQUEST_BYTES"),
        "20 points for each more",
        "unit/network/peers/test_inbox.py::test_requests_that_wait_are_bounded_in_bytes",
    ),
    Exposure(
        P,
        "memory",
        "messages to a peer that does not read",
        "{} in each lane, and the bytes of QUEUE_BYTES",
        ("network.wire.limits:QUEUE_MESSAGES",),
        "answers wait, notices are dropped, after 30 s the link ends",
        "unit/network/wire/test_messages.py::test_every_lane_is_bounded",
    ),
    Exposure(
        P,
        "memory",
        "what a peer knows",
        "{} blocks, {} transactions",
        ("network.peers.peer:KNOWN_BLOCKS", "network.peers.peer:KNOWN_TRANSACTIONS"),
        "the oldest are forgotten, all of them with the link",
        "unit/network/peers/test_inbox.py::test_a_peer_that_is_gone_holds_nothing_even_before_the_collector_runs",
    ),
    Exposure(
        P,
        "memory",
        "bans of ids, and of network groups",
        "{} of each",
        ("network.peers.bans:MAX_BANS",),
        "the oldest end",
        "unit/network/peers/test_bans.py::test_bans_are_bounded_and_lifted",
    ),
    Exposure(
        P,
        "memory",
        "points of peers that left",
        "{}",
        ("network.peers.manager:MAX_SCORES",),
        "the oldest are forgotten",
        "unit/network/peers/test_manager.py::test_points_of_peers_that_left_are_bounded",
    ),
    Exposure(
        P,
        "memory",
        "announced transactions that are not here",
        "{}, of which one peer has at most one part in {}",
        ("network.sync.relay.transactions:MAX_TRACKED", "network.sync.relay.transactions:PEER_PART"),
        "the peer with the most gives way",
        "unit/network/test_floods.py::test_announcements_of_few_peers_keep_nobody_elses_out",
    ),
    Exposure(
        P,
        "memory",
        "announced results",
        "{} of each peer",
        ("core.result_holders:MAX_ANNOUNCED",),
        "the oldest are forgotten",
        "unit/core/test_result_holders.py::test_memory_is_bounded",
    ),
    Exposure(
        P,
        "memory",
        "headers whose work is not proven",
        "{}; a peer gives {} branches at once",
        ("chain.ledger:MAX_UNPROVEN", "network.sync.headers.sync:MAX_BRANCHES"),
        "the lightest are dropped; the peer's headers are ignored for a while",
        "simulation/test_attackers.py::test_light_headers_without_end",
    ),
    Exposure(
        P,
        "memory",
        "blocks that wait for one before them",
        "{} blocks, {}",
        ("network.settings:NetworkSettings.window_blocks", "network.settings:NetworkSettings.window_bytes"),
        "no more are requested",
        "unit/network/sync/blocks/test_window.py::test_the_window_is_bounded_in_blocks_and_bytes_and_never_stuck",
    ),
    Exposure(
        P,
        "time",
        "operands of jobs that no block has yet, for a miner",
        "{} for operands and result of one job",
        ("miner.policy:EARLY_BYTES",),
        "for 20 blocks only jobs in blocks are fetched",
        "unit/miner/test_jobs.py::test_postings_without_data_keep_no_miner_from_the_jobs_of_blocks",
    ),
    Exposure(
        P,
        "memory",
        "blocks from the future",
        "{}",
        ("core.deferred:MAX_EARLY_BLOCKS",),
        "the latest is dropped",
        "unit/core/test_deferred.py::test_early_blocks_are_bounded_and_the_latest_gives_way",
    ),
    Exposure(
        P,
        "memory",
        "votes of keys that are no voter's yet",
        "{}",
        ("chain.votepool:MAX_WAITING",),
        "the oldest are forgotten",
        "unit/chain/test_votepool.py::test_the_room_for_waiting_is_bounded",
    ),
    Exposure(
        P,
        "memory",
        "transactions behind a missing nonce",
        "one part of the pool in {}",
        ("chain.mempool:GAP_PART",),
        "the pool refuses more",
        "unit/chain/test_mempool.py::test_what_stands_behind_a_gap_takes_at_most_a_sixteenth",
    ),
    Exposure(
        P,
        "disk",
        "matrices fetched ahead of need",
        "{}",
        ("network.settings:NetworkSettings.prefetch_bytes",),
        "they are not fetched ahead",
        "unit/network/sync/matrices/test_wanted.py::test_what_is_fetched_ahead_of_need_fits_a_budget",
    ),
    Exposure(
        P,
        "places",
        "matrices that are wanted",
        "{}",
        ("network.sync.matrices.wanted:MAX_WANTS",),
        "others are not fetched",
        "unit/network/sync/matrices/test_wanted.py::test_wanted_matrices_are_bounded",
    ),
    Exposure(
        P,
        "disk",
        "copies that others offer",
        "what has arrived and is proven; {} promises, {} of one network group, with half of one part of the room in {}",
        (
            "network.sync.matrices.copies:MAX_OFFERS",
            "network.sync.matrices.copies:MAX_OFFERS_OF_GROUP",
            "mesh.retention:LENT_PART",
        ),
        "refused; given up after a minute without a run",
        "unit/network/sync/matrices/test_copies.py::test_one_group_never_takes_all_the_room_for_copies",
    ),
    Exposure(
        P,
        "disk",
        "a matrix that nobody needs, of any size",
        "what has arrived and is proven; without progress for {} ms it is deleted",
        ("mesh.inventory:STALE_MS",),
        "its runs are refused",
        "unit/mesh/test_retention.py::test_a_matrix_that_nobody_needs_takes_room_only_as_its_runs_arrive",
    ),
    Exposure(
        P,
        "memory",
        "records of providers",
        "{}, {} of one network group, {} of one provider",
        (
            "network.discovery.routing.settings:RoutingSettings.max_records",
            "network.discovery.routing.settings:RoutingSettings.records_per_group",
            "network.discovery.routing.settings:RoutingSettings.records_per_provider",
        ),
        "refused until one expires",
        "unit/network/discovery/routing/test_records.py::test_a_flood_of_records_stops_at_each_bound",
    ),
    Exposure(
        P,
        "memory",
        "contacts of the routing table",
        "{} of one network group, {} in a bucket",
        (
            "network.discovery.routing.settings:GROUP_IN_TABLE",
            "network.discovery.routing.settings:GROUP_IN_BUCKET",
        ),
        "refused",
        "unit/network/discovery/routing/test_table.py::test_one_network_group_fills_neither_a_bucket_nor_the_table",
    ),
    Exposure(
        P,
        "memory",
        "addresses",
        "{} in all; {} a second of one peer ({} at once)",
        (
            "network.discovery.addresses.bookfile:MAX_ENTRIES",
            "network.discovery.addresses.exchange:TAKEN_PER_S",
            "network.discovery.addresses.exchange:TAKEN_BURST",
        ),
        "the rest is ignored; an address replaces only a useless one",
        "unit/network/discovery/addresses/test_service.py::"
        "test_announced_addresses_are_bounded_and_a_small_book_is_relayed_to_all",
    ),
    Exposure(
        R,
        "places",
        "connections",
        "{}",
        ("rpc.server.connections:MAX_CONNECTIONS",),
        "the one that waits longest for its bytes is closed",
        "unit/rpc/server/test_limits.py::test_connections_that_send_nothing_give_way",
    ),
    Exposure(
        R,
        "processor",
        "parsing the bytes of a connection",
        "{} s a second ({} s at once), beyond {} s for each byte",
        (
            "rpc.server.connections:PARSE_S_PER_S",
            "rpc.server.connections:PARSE_S_BURST",
            "rpc.server.connections:PARSE_S_PER_BYTE",
        ),
        "the connection is dropped",
        "unit/rpc/server/test_limits.py::test_a_connection_whose_bytes_take_long_to_parse_is_dropped",
    ),
    Exposure(
        R,
        "memory",
        "request bodies",
        "{} times the largest one; {} of each is not counted",
        ("rpc.server.bodies:BODIES", "rpc.server.bodies:FREE_BYTES"),
        "busy",
        "unit/rpc/server/test_limits.py::test_bodies_share_a_budget_that_ends_with_their_connections",
    ),
    Exposure(
        R,
        "memory",
        "bytes behind a request that is being answered",
        "{} of a connection",
        ("rpc.server.connections:READ_BYTES",),
        "no more is read until it is answered",
        "unit/rpc/server/test_connections.py::test_bytes_behind_a_request_are_bounded",
    ),
    Exposure(
        R,
        "time",
        "half a request",
        "{} s, and no turn",
        ("rpc.server.http:READ_TIMEOUT_S",),
        "it is answered with 408",
        "unit/rpc/server/test_limits.py::test_half_sent_bodies_hold_no_turn",
    ),
    Exposure(
        R,
        "memory",
        "states after transactions that wait, kept for the next trial",
        "{} records",
        ("core.verification.trial:MAX_RECORDS",),
        "the oldest are dropped, and computed again when needed",
        "unit/core/verification/test_trial.py::test_drafts_are_dropped_with_their_tip_and_beyond_their_bound",
    ),
    Exposure(
        R,
        "places",
        "calls in progress",
        "{}, and {} that wait for a turn",
        ("rpc.server.http:RpcSettings.max_concurrent", "rpc.server.http:RpcSettings.max_waiting"),
        "busy; the holder of the token has turns of its own",
        "unit/rpc/server/test_http.py::test_too_many_requests_are_refused",
    ),
    Exposure(
        R,
        "places",
        "calls that wait for the network",
        "{}",
        ("rpc.server.turns:WAITING_TURNS",),
        "busy",
        "unit/rpc/server/test_limits.py::test_calls_that_wait_keep_nobody_waiting_and_have_a_pool_of_their_own",
    ),
    Exposure(
        R,
        "processor",
        "calls",
        "{} a second ({} at once)",
        ("rpc.server.turns:CALLS_PER_S", "rpc.server.turns:CALLS_BURST"),
        "they wait, then busy",
        "unit/rpc/server/test_limits.py::test_calls_without_the_token_begin_at_a_bounded_rate",
    ),
    Exposure(
        R,
        "processor",
        "QR codes of the explorer",
        "{} a second ({} at once)",
        ("rpc.server.qr:CODES_PER_S", "rpc.server.qr:CODES_BURST"),
        "busy",
        "unit/rpc/server/test_pages.py::test_qr_codes_are_drawn_at_a_bounded_rate",
    ),
    Exposure(
        R,
        "processor",
        "records read for stats of blocks, whatever their range",
        "those of {} points",
        ("rpc.methods.chain.stats:MAX_POINTS",),
        "more points are refused",
        "unit/rpc/methods/chain/test_stats.py::test_a_range_of_blocks_that_are_not_there_is_refused",
    ),
    Exposure(
        R,
        "processor",
        "records read for a ranking of accounts, whatever its place",
        "those of {} accounts",
        ("rpc.methods.state.listing:MAX_ACCOUNTS",),
        "a longer page is refused",
        "unit/rpc/methods/state/test_listing.py::test_a_cursor_that_is_none_and_a_page_without_end_are_refused",
    ),
    Exposure(
        R,
        "processor",
        "jobs read for the market",
        "{} open ones, and {} settled ones with {} events each",
        (
            "rpc.methods.job.market:MAX_OPEN",
            "rpc.methods.job.market:MAX_SAMPLE",
            "rpc.methods.job.market:MAX_JOB_EVENTS",
        ),
        "the rest is not counted",
        "unit/rpc/methods/job/test_market.py::test_only_so_many_open_jobs_are_counted",
    ),
    Exposure(
        R,
        "processor",
        "epochs read for a page",
        "{}, with a committee each",
        ("rpc.methods.finality.epochs:MAX_EPOCHS",),
        "a longer page is refused",
        "unit/rpc/methods/finality/test_epochs.py::test_ended_epochs_are_listed_newest_first_in_pages",
    ),
    Exposure(
        R,
        "processor",
        "pings of a WebSocket",
        "{} a second ({} at once)",
        ("rpc.server.socket:PINGS_PER_S", "rpc.server.socket:PINGS_BURST"),
        "it is closed",
        "unit/rpc/server/test_limits.py::test_a_socket_that_floods_with_pings_is_closed",
    ),
    Exposure(
        R,
        "places",
        "WebSockets",
        "{}, with {} requests in progress each",
        ("rpc.server.socket:MAX_SOCKETS", "rpc.server.socket:MAX_RUNNING"),
        "refused; the holder of the token has some more",
        "unit/rpc/server/test_limits.py::test_sockets_are_bounded_and_some_are_kept_for_the_owner",
    ),
    Exposure(
        R,
        "memory",
        "a message of a WebSocket",
        "{}",
        ("rpc.server.socket:MAX_MESSAGE_BYTES",),
        "it is closed",
        "unit/rpc/server/test_limits.py::test_a_message_of_a_socket_without_the_token_is_small",
    ),
    Exposure(
        R,
        "memory",
        "subscriptions of a WebSocket",
        "{}",
        ("rpc.subscriptions.session:MAX_SUBSCRIPTIONS",),
        "refused",
        "unit/rpc/subscriptions/test_session.py::test_subscriptions_are_bounded_and_need_a_socket",
    ),
    Exposure(
        R,
        "memory",
        "answers of a batch",
        "{} calls, {}",
        ("rpc.server.dispatch:MAX_BATCH", "rpc.server.dispatch:MAX_ANSWER_BYTES"),
        "the rest is refused",
        "unit/rpc/server/test_dispatch.py::test_a_batchs_answers_have_a_largest_size",
    ),
    Exposure(
        R,
        "disk",
        "unfinished uploads",
        "{}, with one part of the room in {}, for {} s",
        (
            "core.matrices.uploads:MAX_UPLOADS",
            "core.matrices.uploads:UPLOADS_PART",
            "core.matrices.uploads:IDLE_S",
        ),
        "the one that paused longest is dropped",
        "unit/core/matrices/test_uploads.py::test_unfinished_uploads_have_a_share_and_the_one_that_paused_gives_way",
    ),
    Exposure(
        R,
        "places",
        "workers",
        "{}, {} of one address, and {} for the token's holders",
        ("workers.limits:MAX_WORKERS", "workers.limits:MAX_PER_HOST", "workers.limits:FLEET_PLACES"),
        "refused, with the time to come again",
        "unit/workers/server/test_service.py::test_strangers_are_bounded_by_host_and_the_fleet_is_not",
    ),
    Exposure(
        R,
        "places",
        "connections of workers before their hello",
        "{}, {} of one address, until they are refused or taken",
        ("workers.limits:MAX_WAITING", "workers.limits:MAX_WAITING_PER_HOST"),
        "HTTP 503, and no WebSocket",
        "unit/workers/server/test_service.py::test_connections_that_say_nothing_are_bounded_by_host",
    ),
    Exposure(
        R,
        "time",
        "a worker that says nothing",
        "{} s before its hello, {} s after it",
        ("workers.limits:HELLO_S", "workers.limits:SILENT_S"),
        "it is disconnected",
        "unit/workers/server/test_service.py::test_a_silent_connection_is_ended",
    ),
    Exposure(
        R,
        "memory",
        "a message of each worker, a stranger's without a piece too, and those that wait for it",
        "{}; {} messages",
        ("workers.limits:MAX_FROM_WORKER_BYTES", "workers.limits:WAITING_MESSAGES"),
        "it is disconnected",
        "unit/workers/server/test_session.py::test_a_message_larger_than_any_kind_ends_the_connection",
    ),
    Exposure(
        R,
        "processor",
        "shares to recompute",
        "{} a second of one worker ({} at once), {} a second of all strangers",
        ("workers.limits:SHARES_PER_S", "workers.limits:SHARES_BURST", "workers.limits:SHARED_SHARES_PER_S"),
        "the worker is disconnected; strangers wait",
        "unit/workers/server/test_session.py::test_too_many_shares_end_the_connection",
    ),
    Exposure(
        R,
        "memory",
        "rows of pieces on their way",
        "{}; a stranger's piece has one part in {} of the tickets that it proved in {} s",
        ("workers.limits:MAX_ROWS_ROOM", "workers.limits:STRANGER_PART", "workers.limits:STRANGER_WINDOW_S"),
        "no more pieces are given",
        "unit/workers/server/test_session.py::test_a_stranger_gets_a_piece_for_a_quarter_of_what_it_proved",
    ),
    Exposure(
        R,
        "memory",
        "addresses that a pool counts shares for",
        "{} in its window",
        ("workers.pool.window:MAX_ADDRESSES",),
        "shares of new addresses are not counted",
        "unit/workers/pool/test_books.py::test_addresses_without_end_are_not_counted_and_not_kept",
    ),
    Exposure(
        R,
        "time",
        "a piece that a stranger has",
        "it should take {} s; after twice its time another worker has it too",
        ("workers.limits:STRANGER_MOST_S",),
        "no piece is given",
        "unit/workers/server/test_session.py::test_a_stranger_that_says_it_is_slow_holds_no_piece",
    ),
    Exposure(
        R,
        "processor",
        "runs of operands",
        "those of its piece, {} times each",
        ("workers.server.runs:RUN_REPEATS",),
        "the worker is disconnected",
        "unit/workers/server/test_session.py::test_runs_are_sent_for_a_piece_only_and_not_without_end",
    ),
    Exposure(
        R,
        "memory",
        "runs that wait to be sent to a worker",
        "{}",
        ("workers.limits:UNSENT_RUNS",),
        "the worker is disconnected",
        "unit/workers/server/test_session.py::test_runs_that_nobody_reads_are_bounded",
    ),
    Exposure(
        R,
        "memory",
        "block templates",
        "{}",
        ("core.templates:MAX_TEMPLATES",),
        "the oldest is forgotten",
        "unit/core/test_templates.py::test_templates_are_bounded",
    ),
)


def get_limit_value(name: str) -> int | float:
    """Return the value of a limit by its name in the table.

    Raises:
        AttributeError, ValueError: the code has no such limit.
    """
    module, _, rest = name.partition(":")
    owner, _, field = rest.rpartition(".")
    found = import_module(f"inos.{module}")
    if not owner:
        value: int | float = getattr(found, field)
        return value
    kind = getattr(found, owner)
    fields, defaults = kind.__struct_fields__, kind.__struct_defaults__
    default: int | float = defaults[fields.index(field) - len(fields)]
    return default


def show_value(name: str) -> str:
    """Return the value of a limit as text; bytes are shown in the largest unit that fits."""
    value = get_limit_value(name)
    if "bytes" not in name.lower().rpartition(":")[2] or value < 1:
        return f"{value:,g}" if isinstance(value, float) else f"{value:,}"
    for unit, size in (("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10)):
        if value >= size:
            return f"{value / size:.3g} {unit}"
    return f"{value} B"


def render_table() -> str:
    """Return the Markdown table of all rows."""
    lines = ["| party | spends | on | at most | then | test |", "|---|---|---|---|---|---|"]
    for row in TABLE:
        bound = row.bound.format(*(show_value(name) for name in row.limits))
        test = row.test.rpartition("::")[2]
        lines.append(f"| {row.party} | {row.resource} | {row.what} | {bound} | {row.at_bound} | `{test}` |")
    return "\n".join(lines) + "\n"


def insert_table(text: str) -> str:
    """Return the document with a new table between its two marks.

    Raises:
        ValueError: the marks are missing.
    """
    before, _, rest = text.partition(BEGIN)
    _, mark, after = rest.partition(END)
    if not mark:
        raise ValueError(f"the document has no marks for the table: add the lines {BEGIN.strip()} and {END.strip()}")
    return f"{before}{BEGIN}\n{render_table()}\n{END}{after}"


if __name__ == "__main__":
    page = Path(sys.argv[1])
    page.write_text(insert_table(page.read_text(encoding="utf-8")), encoding="utf-8")
