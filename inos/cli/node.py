"""`inos node`: run one node until it is told to stop."""

from pathlib import Path
from typing import Annotated

import typer


def command(
    network: Annotated[
        str | None, typer.Option("--network", metavar="NAME|FILE", help="A preset's name or a genesis file. [devnet]")
    ] = None,
    data_dir: Annotated[
        Path | None, typer.Option("--data-dir", metavar="DIR", help="Where chain, keys and matrices are kept.")
    ] = None,
    config: Annotated[
        Path | None, typer.Option("--config", metavar="FILE", help="A TOML file. [<data-dir>/config.toml]")
    ] = None,
    rpc_host: Annotated[str | None, typer.Option("--rpc-host", metavar="HOST", help="[127.0.0.1]")] = None,
    rpc_port: Annotated[int | None, typer.Option("--rpc-port", metavar="N", help="0 takes a free port. [8645]")] = None,
    rpc_allow_host: Annotated[
        list[str] | None,
        typer.Option("--rpc-allow-host", metavar="NAME", help="A name requests may call this node by; repeatable."),
    ] = None,
    rpc_body_limit: Annotated[
        int | None, typer.Option("--rpc-body-limit", metavar="BYTES", help="Largest RPC request.")
    ] = None,
    explorer: Annotated[
        bool | None, typer.Option("--explorer", help="Serve the explorer's pages at /explorer/ of the RPC address.")
    ] = None,
    p2p_host: Annotated[
        str | None, typer.Option("--p2p-host", metavar="HOST", help="0.0.0.0 lets other machines in. [127.0.0.1]")
    ] = None,
    p2p_port: Annotated[int | None, typer.Option("--p2p-port", metavar="N", help="0 takes a free port. [8646]")] = None,
    peer: Annotated[
        list[str] | None, typer.Option("--peer", metavar="ID@HOST:PORT", help="A node to connect to; repeatable.")
    ] = None,
    seed: Annotated[
        list[str] | None,
        typer.Option("--seed", metavar="ID@HOST:PORT", help="A node to ask for others; repeatable."),
    ] = None,
    discovery: Annotated[
        bool | None, typer.Option("--discovery/--no-discovery", help="Find peers, or dial only --peer. [find]")
    ] = None,
    max_outbound: Annotated[
        int | None, typer.Option("--max-outbound", metavar="N", help="Peers found and dialled. [8]")
    ] = None,
    max_inbound: Annotated[
        int | None, typer.Option("--max-inbound", metavar="N", help="Links taken from others. [64]")
    ] = None,
    announce: Annotated[
        str | None,
        typer.Option("--announce", metavar="HOST:PORT", help="Where others reach this node. [learned from peers]"),
    ] = None,
    local_addresses: Annotated[
        bool | None,
        typer.Option(
            "--local-addresses/--no-local-addresses",
            help="Believe and dial loopback and private addresses of peers. [on devnets only]",
        ),
    ] = None,
    checkpoint: Annotated[
        str | None,
        typer.Option(
            "--checkpoint",
            metavar="HEIGHT:ID",
            help="A recent final block you believe in: a new node takes a final state from its peers, with proofs.",
        ),
    ] = None,
    snapshot: Annotated[
        bool | None,
        typer.Option("--snapshot", help="The same with the final block that peers prove from genesis on."),
    ] = None,
    mine: Annotated[
        str | None,
        typer.Option(
            "--mine",
            metavar="ADDRESS|auto",
            help="Mine and take paid jobs, paid to this address; auto: to a key the node makes.",
        ),
    ] = None,
    mine_key_file: Annotated[
        Path | None,
        typer.Option("--mine-key-file", metavar="FILE", help="Work with this key (64 hex digits), and be paid to it."),
    ] = None,
    mine_wallet: Annotated[
        Path | None,
        typer.Option("--mine-wallet", metavar="FILE", help="Work with this keystore's first key."),
    ] = None,
    password_file: Annotated[
        Path | None, typer.Option("--password-file", metavar="FILE", help="The keystore's password.")
    ] = None,
    purpose: Annotated[
        str | None, typer.Option("--purpose", metavar="any|jobs|filler", help="What to multiply. [any]")
    ] = None,
    min_reward: Annotated[
        float | None, typer.Option("--min-reward", metavar="NANO", help="Least reward per ticket of a job. [0]")
    ] = None,
    job_mode: Annotated[
        list[str] | None,
        typer.Option("--job-mode", metavar="checked|optimistic", help="Kind of jobs to take; repeatable. [both]"),
    ] = None,
    first_poster: Annotated[
        list[str] | None,
        typer.Option("--first-poster", metavar="ADDRESS", help="Whose jobs come before all others; repeatable."),
    ] = None,
    max_job_bytes: Annotated[
        int | None, typer.Option("--max-job-bytes", metavar="BYTES", help="Largest job, operands and result. [4 GiB]")
    ] = None,
    filler_rate: Annotated[
        float | None, typer.Option("--filler-rate", metavar="N", help="Filler tickets per second; 0: no limit. [0]")
    ] = None,
    threads: Annotated[int | None, typer.Option("--threads", metavar="N", help="Threads of the miner.")] = None,
    backend: Annotated[str | None, typer.Option("--backend", metavar="NAME", help="Of the miner. [auto]")] = None,
    mesh_quota: Annotated[
        str | None, typer.Option("--mesh-quota", metavar="SIZE", help="Room for matrices, such as 20GiB. [the disk's]")
    ] = None,
    mesh_scrub_rate: Annotated[
        str | None,
        typer.Option("--mesh-scrub-rate", metavar="SIZE", help="Stored bytes read back and checked a second. [8MiB]"),
    ] = None,
    mesh_check_s: Annotated[
        float | None,
        typer.Option("--mesh-check-s", metavar="S", help="How often copies elsewhere are counted. [20 spacings]"),
    ] = None,
    watch: Annotated[
        bool | None, typer.Option("--watch", help="Check results of optimistic jobs, and challenge wrong ones.")
    ] = None,
    watch_key_file: Annotated[
        Path | None,
        typer.Option("--watch-key-file", metavar="FILE", help="Challenge with this key. [one the node makes]"),
    ] = None,
    vote: Annotated[
        bool | None,
        typer.Option(
            "--vote/--no-vote", help="Vote on finality, with a key the node makes. [where it mines on a devnet]"
        ),
    ] = None,
    vote_bond: Annotated[
        str | None,
        typer.Option(
            "--vote-bond", metavar="CREDITS", help="Register as a voter by itself, from the account it mines with."
        ),
    ] = None,
    jury: Annotated[
        bool | None,
        typer.Option(
            "--jury/--no-jury", help="With --vote: judge disputed results; it costs traffic and disk. [judge]"
        ),
    ] = None,
    vote_max_bond: Annotated[
        str | None,
        typer.Option("--vote-max-bond", metavar="CREDITS", help="Raise the bond up to this as it mines more. [never]"),
    ] = None,
    metrics: Annotated[
        str | None,
        typer.Option("--metrics", metavar="HOST:PORT", help="Serve /metrics, /health and /ready there. [nowhere]"),
    ] = None,
    log_level: Annotated[
        str | None, typer.Option("--log-level", metavar="debug|info|warning|error", help="[info]")
    ] = None,
    log_format: Annotated[str | None, typer.Option("--log-format", metavar="console|json", help="[console]")] = None,
) -> None:
    """Run one node, mining or only following.

    Flags win over INOS_* in the environment, which win over the configuration file.
    Ctrl-C stops it in order.
    """
    from inos.node.main import run
    from inos.node.settings import load_settings

    flags = {
        "network": network,
        "data_dir": data_dir,
        "rpc_host": rpc_host,
        "rpc_port": rpc_port,
        "rpc_allowed_hosts": tuple(rpc_allow_host) if rpc_allow_host else None,
        "rpc_body_limit": rpc_body_limit,
        "explorer": explorer,
        "p2p_host": p2p_host,
        "p2p_port": p2p_port,
        "peers": tuple(peer) if peer else None,
        "seeds": tuple(seed) if seed else None,
        "discovery": discovery,
        "max_outbound": max_outbound,
        "max_inbound": max_inbound,
        "announce": announce,
        "local_addresses": local_addresses,
        "checkpoint": checkpoint,
        "snapshot": snapshot,
        "mine": mine,
        "mine_key_file": mine_key_file,
        "mine_wallet": mine_wallet,
        "password_file": password_file,
        "purpose": purpose,
        "min_reward_per_ticket": min_reward,
        "job_modes": tuple(job_mode) if job_mode else None,
        "first_posters": tuple(first_poster) if first_poster else None,
        "max_job_bytes": max_job_bytes,
        "filler_rate": filler_rate,
        "threads": threads,
        "backend": backend,
        "mesh_quota": mesh_quota,
        "mesh_scrub_rate": mesh_scrub_rate,
        "mesh_check_s": mesh_check_s,
        "watch": watch,
        "watch_key_file": watch_key_file,
        "vote": vote,
        "vote_bond": vote_bond,
        "vote_max_bond": vote_max_bond,
        "jury": jury,
        "metrics": metrics,
        "log_level": log_level,
        "log_format": log_format,
    }
    run(load_settings(flags, config))
