"""`inos node`: run one node until Ctrl-C or a signal stops it."""

import os
from pathlib import Path
from typing import Annotated, Any, Final

import typer
from typer.core import TyperCommand

from inos.node.variables import DEFAULT_PRUNE, MIN_PRUNE

RPC: Final = "RPC"
PEERS: Final = "Peers"
MINING: Final = "Mining"
MATRICES: Final = "Matrices"
WATCHING: Final = "Watching and voting"
SETTINGS: Final = {
    "rpc_allow_host": "rpc_allowed_hosts",
    "peer": "peers",
    "seed": "seeds",
    "min_reward": "min_reward_per_ticket",
    "job_mode": "job_modes",
    "job_kind": "job_kinds",
    "first_poster": "first_posters",
}
"""Settings whose name differs from that of their option."""


def _option(flag: str, metavar: str, help: str, panel: str | None = None) -> Any:
    """Return an option; each is None if it is not given, since the settings have the defaults."""
    return typer.Option(flag, metavar=metavar or None, help=help, rich_help_panel=panel)


class NodeCommand(TyperCommand):
    """Reads `--prune` without a number as the default number."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        for index, arg in enumerate(args):
            if arg == "--prune" and not "".join(args[index + 1 : index + 2]).isdecimal():
                args[index] = f"--prune={DEFAULT_PRUNE}"
        return super().parse_args(ctx, args)


def command(
    ctx: typer.Context,
    network: Annotated[
        str | None, _option("--network", "NAME|FILE", "A preset's name or a genesis file. Default: devnet.")
    ] = None,
    data_dir: Annotated[
        Path | None,
        _option("--data-dir", "DIR", "The directory of the chain, keys and matrices. Default: ~/.inos/node."),
    ] = None,
    config: Annotated[
        Path | None, _option("--config", "FILE", "A TOML file with settings. Default: <data-dir>/config.toml.")
    ] = None,
    checkpoint: Annotated[
        str | None,
        _option(
            "--checkpoint",
            "HEIGHT:ID",
            "A recent final block that you trust: a new node starts with its state, proven by peers.",
        ),
    ] = None,
    snapshot: Annotated[
        bool | None,
        _option(
            "--snapshot", "", "A new node starts with the state of the final block that peers prove from genesis on."
        ),
    ] = None,
    prune: Annotated[
        int | None,
        _option(
            "--prune",
            "[BLOCKS]",
            "Keep the bodies of this many blocks below the last final one, and headers of all. Default: all; "
            f"without a number {DEFAULT_PRUNE}, at least {MIN_PRUNE}.",
        ),
    ] = None,
    metrics: Annotated[
        str | None,
        _option("--metrics", "HOST:PORT", "Serve /metrics, /health and /ready at this address. Default: off."),
    ] = None,
    log_level: Annotated[
        str | None, _option("--log-level", "debug|info|warning|error", "The least level that is logged. Default: info.")
    ] = None,
    log_format: Annotated[
        str | None, _option("--log-format", "console|json", "The format of log lines. Default: console.")
    ] = None,
    rpc_host: Annotated[
        str | None, _option("--rpc-host", "HOST", "The address the RPC listens on. Default: 127.0.0.1.", RPC)
    ] = None,
    rpc_port: Annotated[
        int | None, _option("--rpc-port", "N", "The port of the RPC; 0 takes a free one. Default: 8645.", RPC)
    ] = None,
    rpc_allow_host: Annotated[
        list[str] | None,
        _option("--rpc-allow-host", "NAME", "A host name that RPC requests may use for this node; repeatable.", RPC),
    ] = None,
    rpc_body_limit: Annotated[
        int | None, _option("--rpc-body-limit", "BYTES", "The largest RPC request that is accepted.", RPC)
    ] = None,
    explorer: Annotated[
        bool | None, _option("--explorer", "", "Serve the explorer at /explorer/ of the RPC address.", RPC)
    ] = None,
    p2p_host: Annotated[
        str | None,
        _option(
            "--p2p-host",
            "HOST",
            "The address peers connect to; 0.0.0.0 admits other machines. Default: 127.0.0.1.",
            PEERS,
        ),
    ] = None,
    p2p_port: Annotated[
        int | None, _option("--p2p-port", "N", "The port peers connect to; 0 takes a free one. Default: 8646.", PEERS)
    ] = None,
    peer: Annotated[
        list[str] | None, _option("--peer", "ID@HOST:PORT", "A node to connect to; repeatable.", PEERS)
    ] = None,
    seed: Annotated[
        list[str] | None, _option("--seed", "ID@HOST:PORT", "A node to ask for addresses of others; repeatable.", PEERS)
    ] = None,
    discovery: Annotated[
        bool | None,
        _option(
            "--discovery/--no-discovery", "", "Find peers, or connect to those of --peer only. Default: find.", PEERS
        ),
    ] = None,
    max_outbound: Annotated[
        int | None, _option("--max-outbound", "N", "How many peers the node finds and dials. Default: 8.", PEERS)
    ] = None,
    max_inbound: Annotated[
        int | None, _option("--max-inbound", "N", "How many connections the node accepts. Default: 64.", PEERS)
    ] = None,
    announce: Annotated[
        str | None,
        _option(
            "--announce",
            "HOST:PORT",
            "The address at which others reach this node. Default: learned from peers.",
            PEERS,
        ),
    ] = None,
    local_addresses: Annotated[
        bool | None,
        _option(
            "--local-addresses/--no-local-addresses",
            "",
            "Accept and dial loopback and private addresses of peers. Default: on devnets only.",
            PEERS,
        ),
    ] = None,
    mine: Annotated[
        str | None,
        _option(
            "--mine",
            "ADDRESS|auto",
            "Mine and take jobs, paid to this address; auto: to a key that the node makes.",
            MINING,
        ),
    ] = None,
    mine_key_file: Annotated[
        Path | None, _option("--mine-key-file", "FILE", "Mine and take jobs with this key (64 hex digits).", MINING)
    ] = None,
    mine_wallet: Annotated[
        Path | None, _option("--mine-wallet", "FILE", "Mine and take jobs with this keystore's first key.", MINING)
    ] = None,
    password_file: Annotated[
        Path | None, _option("--password-file", "FILE", "The file with the keystore's password.", MINING)
    ] = None,
    purpose: Annotated[
        str | None,
        _option("--purpose", "any|jobs|filler", "What to multiply: paid jobs, filler, or any. Default: any.", MINING),
    ] = None,
    min_reward: Annotated[
        float | None, _option("--min-reward", "NANO", "The least reward per ticket of a job. Default: 0.", MINING)
    ] = None,
    job_mode: Annotated[
        list[str] | None,
        _option("--job-mode", "checked|optimistic", "The mode of jobs to take; repeatable. Default: both.", MINING),
    ] = None,
    job_kind: Annotated[
        list[str] | None,
        _option("--job-kind", "product|program|function", "A kind of jobs to take; repeatable. Default: all.", MINING),
    ] = None,
    first_poster: Annotated[
        list[str] | None, _option("--first-poster", "ADDRESS", "An account whose jobs come first; repeatable.", MINING)
    ] = None,
    max_job_bytes: Annotated[
        int | None,
        _option("--max-job-bytes", "BYTES", "The largest job, operands and result together. Default: 4 GiB.", MINING),
    ] = None,
    fetch_ahead_bytes: Annotated[
        int | None,
        _option(
            "--fetch-ahead-bytes",
            "BYTES",
            "Fetched in 64 blocks for jobs not taken on yet; 0 is nothing. Default: 1 GiB.",
            MINING,
        ),
    ] = None,
    filler_rate: Annotated[
        float | None, _option("--filler-rate", "N", "Filler tickets per second; 0 is no limit. Default: 0.", MINING)
    ] = None,
    engine: Annotated[
        str | None,
        _option(
            "--engine", "ray://HEAD:10001", "Multiply on a Ray cluster of your own; default: on this machine.", MINING
        ),
    ] = None,
    threads: Annotated[
        int | None,
        _option("--threads", "N", "Threads of the miner; 0 leaves all to workers. Default: one per processor.", MINING),
    ] = None,
    pool: Annotated[
        bool | None,
        _option(
            "--pool",
            "",
            "Pay workers of others for what they multiply, from the account that the node mines with.",
            MINING,
        ),
    ] = None,
    pool_fee: Annotated[
        int | None,
        _option("--pool-fee", "PPM", "The pool keeps so many millionths. Default: 10000, a hundredth.", MINING),
    ] = None,
    miner_priority: Annotated[
        str | None,
        _option(
            "--miner-priority",
            "NAME",
            "Share of busy processors that the miner gets: idle (none), low (a tenth) or normal. Default: low.",
            MINING,
        ),
    ] = None,
    backend: Annotated[
        str | None, _option("--backend", "NAME", "The miner's kernel; see: inos work backends. Default: auto.", MINING)
    ] = None,
    mesh_quota: Annotated[
        str | None, _option("--mesh-quota", "SIZE", "Room for matrices, such as 20GiB. Default: the disk.", MATRICES)
    ] = None,
    mesh_scrub_rate: Annotated[
        str | None,
        _option(
            "--mesh-scrub-rate",
            "SIZE",
            "Stored bytes that are read back and checked each second. Default: 8MiB.",
            MATRICES,
        ),
    ] = None,
    mesh_check_s: Annotated[
        float | None,
        _option(
            "--mesh-check-s",
            "SECONDS",
            "Time between counts of a matrix's copies on other nodes. Default: 20 block spacings.",
            MATRICES,
        ),
    ] = None,
    watch: Annotated[
        bool | None, _option("--watch", "", "Check the results of optimistic jobs, and challenge wrong ones.", WATCHING)
    ] = None,
    watch_key_file: Annotated[
        Path | None,
        _option("--watch-key-file", "FILE", "Challenge with this key. Default: a key that the node makes.", WATCHING),
    ] = None,
    vote: Annotated[
        bool | None,
        _option(
            "--vote/--no-vote",
            "",
            "Vote on finality, with a key that the node makes. Default: if it mines on a devnet.",
            WATCHING,
        ),
    ] = None,
    jury: Annotated[
        bool | None,
        _option(
            "--jury/--no-jury",
            "",
            "A voting node judges disputed results, which costs traffic and disk. Default: judge.",
            WATCHING,
        ),
    ] = None,
    vote_max_bond: Annotated[
        str | None,
        _option("--vote-max-bond", "CREDITS", "Raise the bond up to this as the account mines more.", WATCHING),
    ] = None,
    vote_bond: Annotated[
        str | None,
        _option(
            "--vote-bond",
            "CREDITS",
            "Register the voter with this bond, from the account that the node mines with.",
            WATCHING,
        ),
    ] = None,
) -> None:
    """Run one node, mining or only following.

    Options win over INOS_* in the environment, and those win over the configuration file. Ctrl-C stops it in order.
    """
    from inos.cli.common.log_errors import log_errors
    from inos.node.main import run
    from inos.node.settings import load_settings

    given = {SETTINGS.get(name, name): value for name, value in ctx.params.items() if name != "config"}
    flags = {name: tuple(value) or None if isinstance(value, list | tuple) else value for name, value in given.items()}
    with log_errors(log_format or os.environ.get("INOS_LOG_FORMAT", "")):
        settings = load_settings(flags, config)
    with log_errors(settings.log_format):
        run(settings)
