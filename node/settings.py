"""Reads a node's settings from flags, INOS_* in the environment, and a TOML file; the first of them wins."""

import re
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, ClassVar, Final, Literal

from pydantic import ByteSize, Field, ValidationError, field_validator
from pydantic_settings import BaseSettings, NoDecode, PydanticBaseSettingsSource, SettingsConfigDict

from inos.core.errors import NodeError
from inos.miner.settings import DEFAULT_FETCH_AHEAD_BYTES, DEFAULT_MAX_JOB_BYTES, Purpose
from inos.network.endpoints import is_acceptable, split_endpoint
from inos.node.variables import ENV_PREFIX, MIN_PRUNE
from inos.rpc.server.http import DEFAULT_BODY_LIMIT
from inos.workers.pool.pool import DEFAULT_FEE_PPM

CONFIG_NAME: Final = "config.toml"
DEFAULT_HOME: Final = Path("~/.inos")
DEFAULT_RPC_PORT: Final = 8645
DEFAULT_P2P_PORT: Final = 8646
MAX_CONFIG_BYTES: Final = 1 << 20

Port = Annotated[int, Field(ge=0, le=65_535)]


def parse_endpoint(text: str) -> tuple[str, int]:
    """Return host and port of host:port; raise ValueError if the host is no IP address in its canonical spelling."""
    host, port = split_endpoint(text)
    if not is_acceptable(host, allow_local=True) or not 1 <= port <= 65_535:
        raise ValueError("write an IP address and a port, such as 20.1.2.3:8646 or [2a01:4f8::1]:8646")
    return host, port


def parse_checkpoint(text: str) -> tuple[int, bytes]:
    """Return height and id of HEIGHT:ID; raise ValueError if it is malformed."""
    height, _, block = text.partition(":")
    if not height.isdecimal() or len(height) > 15 or not re.fullmatch("[0-9a-fA-F]{64}", block):
        raise ValueError("write HEIGHT:ID, the id in 64 hex digits")
    return int(height), bytes.fromhex(block)


class NodeSettings(BaseSettings):
    """Holds every setting of a node. The names are those of the TOML file; the environment has them as INOS_<NAME>."""

    model_config = SettingsConfigDict(env_prefix=ENV_PREFIX, extra="forbid", frozen=True)
    file_values: ClassVar[Mapping[str, Any]] = {}
    reads_environment: ClassVar[bool] = True

    network: str = "devnet"
    """Names a preset or a genesis file."""
    data_dir: Path = DEFAULT_HOME / "node"
    rpc_host: str = "127.0.0.1"
    rpc_port: Port = DEFAULT_RPC_PORT
    rpc_allowed_hosts: Annotated[tuple[str, ...], NoDecode] = ()
    """A request's Host header may carry these names besides this machine's own; needed behind a proxy or 0.0.0.0."""
    explorer: bool = False
    """Says whether the RPC address also serves the explorer's pages, under /explorer/."""
    rpc_body_limit: Annotated[int, Field(ge=1 << 16, le=1 << 30)] = DEFAULT_BODY_LIMIT
    """A request may have this many bytes."""
    p2p_host: str = "127.0.0.1"
    p2p_port: Port = DEFAULT_P2P_PORT
    """The port that peers connect to; 0 takes a free port."""
    peers: Annotated[tuple[str, ...], NoDecode] = ()
    """The node dials these peers, ID@host:port; the environment separates them by commas."""
    seeds: Annotated[tuple[str, ...], NoDecode] = ()
    """The node asks these first for other nodes, besides those of the genesis file; ID@host:port."""
    discovery: bool = True
    """Says whether the node looks for peers by itself; without it only `peers` are dialled."""
    max_outbound: Annotated[int, Field(ge=0, le=64)] = 8
    max_inbound: Annotated[int, Field(ge=0, le=1024)] = 64
    announce: str | None = None
    """Other nodes reach this node at this host:port with an IP address; without it the node finds that out itself."""
    local_addresses: bool | None = None
    """Says whether loopback and private addresses of peers are accepted and dialled; by default on devnets only."""

    checkpoint: str | None = None
    """Names a recent final block that the user trusts, HEIGHT:ID; a node without a chain begins with a final block's
    state."""
    snapshot: bool = False
    """A node without a chain begins with a final block's state, and needs no checkpoint: peers prove that block from
    genesis on."""

    prune: Annotated[int, Field(ge=MIN_PRUNE)] | None = None
    """Bodies, witnesses and histories of blocks more than this far below the last final one are removed; by default
    all are kept."""

    mine: str | None = None
    """The miner earns blocks for this address, or with "auto" for a key the node makes itself."""
    mine_key_file: Path | None = None
    """Holds the secret of the account that mines and takes paid jobs: 64 hex digits, readable by the owner alone."""
    mine_wallet: Path | None = None
    """Names a keystore file in place of mine_key_file."""
    password_file: Path | None = None
    """Holds the keystore's password."""
    purpose: Purpose = Purpose.ANY
    min_reward_per_ticket: Annotated[float, Field(ge=0, allow_inf_nan=False)] = 0.0
    """The miner takes no job that pays less; in nano."""
    job_modes: Annotated[tuple[Literal["checked", "optimistic"], ...], NoDecode, Field(min_length=1)] = (
        "checked",
        "optimistic",
    )
    """The miner takes jobs of these kinds."""
    job_kinds: Annotated[tuple[Literal["product", "program", "function"], ...], NoDecode, Field(min_length=1)] = (
        "product",
        "program",
        "function",
    )
    """The miner takes products, and tasks of these kinds."""
    first_posters: Annotated[tuple[str, ...], NoDecode] = ()
    """The miner takes jobs of these addresses before all others, even if they pay less."""
    max_claims: Annotated[int, Field(ge=1, le=1024)] = 4
    max_job_bytes: Annotated[int, Field(ge=1)] = DEFAULT_MAX_JOB_BYTES
    fetch_ahead_bytes: Annotated[int, Field(ge=0)] = DEFAULT_FETCH_AHEAD_BYTES
    """The miner fetches at most this many bytes in 64 blocks for jobs that it has not taken on."""
    filler_rate: Annotated[float, Field(ge=0, le=1e12, allow_inf_nan=False)] = 0.0
    """The miner computes at most this many filler tickets per second; 0 is no limit."""
    filler_rows: Annotated[int, Field(ge=16, le=65_536)] = 1024
    filler_depth: Annotated[int, Field(ge=1, le=65_536)] = 1024
    backend: str = "auto"
    threads: Annotated[int, Field(ge=0, le=1024)] | None = None
    """Threads of the miner; 0 lets only workers multiply, and by default there is one for each processor."""
    engine: str | None = None
    """The miner multiplies on the Ray cluster at ray://HEAD:10001, and by default on this machine."""
    pool: bool = False
    """The node pays workers of others by what they multiply, from the account it mines with."""
    pool_fee: Annotated[int, Field(ge=0, le=1_000_000)] = DEFAULT_FEE_PPM
    """The pool keeps so many millionths of what its blocks and jobs bring."""
    miner_priority: Literal["idle", "low", "normal"] = "low"
    """The share of the processors that threads of the miner get when other threads of the machine want them."""

    mesh_quota: Annotated[ByteSize, Field(ge=0)] | None = None
    """Matrices may take this much of the disk, such as 20GiB; without it all the disk has, less a reserve for the
    chain."""
    mesh_scrub_rate: Annotated[ByteSize, Field(ge=0)] = ByteSize(8 << 20)
    """This many bytes of stored matrices are read back and checked each second; 0 is none."""

    mesh_check_s: Annotated[float, Field(ge=0, allow_inf_nan=False)] | None = None
    """The node counts a stored matrix's copies in the network this often, and asks for more if too few; 0 is never,
    and the default is every 20 block spacings."""

    watch: bool = False
    """Says whether optimistic results are checked within their window, and wrong ones challenged."""
    watch_key_file: Path | None = None
    """Holds the secret of the account that sends challenges; the node makes one by default. It needs credits for
    fees."""

    vote: bool | None = None
    """Says whether the node votes on finality, with a BLS key in its data directory; by default only a miner on a
    devnet votes."""
    jury: bool = True
    """A node that votes judges disputed results with the seats its voter is drawn for."""
    vote_bond: str | None = None
    """The node registers as a voter by itself with this bond in credits, from the account it mines with."""
    vote_max_bond: str | None = None
    """The node raises the bond up to this many credits as it mines more; by default it never does."""

    metrics: str | None = None
    """Serves /metrics, /health and /ready here: host:port, 0 for a free port. Without it nothing serves them."""

    log_level: Literal["debug", "info", "warning", "error"] = "info"
    log_format: Literal["console", "json"] = "console"

    @field_validator("metrics", mode="after")
    @classmethod
    def _check_metrics(cls, value: str | None) -> str | None:
        if value is not None:
            host, port = split_endpoint(value)
            if not is_acceptable(host, allow_local=True) and host not in ("0.0.0.0", "::"):
                raise ValueError("write an IP address and a port, such as 127.0.0.1:9645")
            if not value.endswith(f":{port}") or port > 65_535:
                raise ValueError("write an IP address and a port, such as 127.0.0.1:9645; port 0 takes a free one")
        return value

    @field_validator("announce", mode="after")
    @classmethod
    def _check_announce(cls, value: str | None) -> str | None:
        if value is not None:
            parse_endpoint(value)
        return value

    @field_validator("checkpoint", mode="after")
    @classmethod
    def _check_checkpoint(cls, value: str | None) -> str | None:
        if value is not None:
            parse_checkpoint(value)
        return value

    @field_validator("peers", "seeds", "rpc_allowed_hosts", "job_modes", "job_kinds", "first_posters", mode="before")
    @classmethod
    def _split(cls, value: Any) -> Any:
        return tuple(part.strip() for part in value.split(",") if part.strip()) if isinstance(value, str) else value

    @field_validator("data_dir", "mine_key_file", "mine_wallet", "password_file", "watch_key_file", mode="after")
    @classmethod
    def _expand(cls, value: Path | None) -> Path | None:
        return value.expanduser() if value is not None else None

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        middle = (env_settings,) if getattr(settings_cls, "reads_environment", True) else ()
        return init_settings, *middle, _FileSource(settings_cls)


class _FileSource(PydanticBaseSettingsSource):
    """Provides the TOML file's values, which load_settings has read before."""

    def get_field_value(self, field: Any, field_name: str) -> tuple[Any, str, bool]:
        values: Mapping[str, Any] = getattr(self.settings_cls, "file_values", {})
        return values.get(field_name), field_name, False

    def __call__(self) -> dict[str, Any]:
        return dict(getattr(self.settings_cls, "file_values", {}))


def load_settings(
    flags: Mapping[str, Any], config: Path | None = None, *, reads_environment: bool = True
) -> NodeSettings:
    """Read settings from flags (None is not given), the environment and the file.

    Args:
        config: the TOML file; without it <data-dir>/config.toml, if there is one.
        reads_environment: False for a node that the user's INOS_* must not change, such as that of a test.

    Raises:
        NodeError: "bad-setting", naming the setting and where it is wrong.
    """
    given = {name: value for name, value in flags.items() if value is not None}
    is_read = reads_environment
    path = config or _build(given, {}, None, reads_environment=is_read).data_dir / CONFIG_NAME
    if config is None and not path.exists():
        return _build(given, {}, None, reads_environment=is_read)
    return _build(given, _read_config(path), path, reads_environment=is_read)


def _build(
    flags: Mapping[str, Any], values: Mapping[str, Any], path: Path | None, *, reads_environment: bool
) -> NodeSettings:
    is_read = reads_environment

    class Settings(NodeSettings):
        file_values: ClassVar[Mapping[str, Any]] = values
        reads_environment: ClassVar[bool] = is_read

    try:
        return Settings(**flags)
    except ValidationError as error:
        problems = "; ".join(_describe(problem, flags, values, path) for problem in error.errors())
        raise NodeError("bad-setting", problems, hint="inos node --help lists the settings") from error


FLAGS: Final = {
    "first_posters": "first-poster",
    "job_kinds": "job-kind",
    "job_modes": "job-mode",
    "min_reward_per_ticket": "min-reward",
    "peers": "peer",
    "rpc_allowed_hosts": "rpc-allow-host",
    "seeds": "seed",
}
"""The flags of these settings have other names."""


def _describe(problem: Any, flags: Mapping[str, Any], values: Mapping[str, Any], path: Path | None) -> str:
    name = str(problem["loc"][0]) if problem["loc"] else ""
    if name in flags:
        source = f"--{FLAGS.get(name, name.replace('_', '-'))}"
    elif name in values:
        source = f"{name} in {path}"
    else:
        source = f"{ENV_PREFIX}{name.upper()} in the environment"
    if problem["type"] == "extra_forbidden":
        return f"there is no setting {name!r} ({path})"
    return f"{source}: {str(problem['msg']).removeprefix('Value error, ')}, got {problem['input']!r}"


def _read_config(path: Path) -> dict[str, Any]:
    try:
        with path.expanduser().open("rb") as file:
            data = file.read(MAX_CONFIG_BYTES + 1)
        if len(data) > MAX_CONFIG_BYTES:
            raise NodeError("bad-setting", f"{path} is larger than {MAX_CONFIG_BYTES} bytes")
        return tomllib.loads(data.decode("utf-8"))
    except OSError as error:
        raise NodeError("bad-setting", f"cannot read the configuration {path}: {error.strerror}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, RecursionError) as error:
        raise NodeError("bad-setting", f"{path} is not TOML: {error}") from error
