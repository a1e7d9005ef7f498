"""What a node is told: by flags, by INOS_* in the environment, by a TOML file; the first of them wins."""

import re
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, ClassVar, Final, Literal

from pydantic import ByteSize, Field, ValidationError, field_validator
from pydantic_settings import BaseSettings, NoDecode, PydanticBaseSettingsSource, SettingsConfigDict

from inos.core.errors import NodeError
from inos.miner.settings import DEFAULT_MAX_JOB_BYTES, Purpose
from inos.network.endpoints import is_acceptable, split_endpoint
from inos.rpc.server.http import DEFAULT_BODY_LIMIT

ENV_PREFIX: Final = "INOS_"
CONFIG_NAME: Final = "config.toml"
DEFAULT_HOME: Final = Path("~/.inos")
DEFAULT_RPC_PORT: Final = 8645
DEFAULT_P2P_PORT: Final = 8646
MAX_CONFIG_BYTES: Final = 1 << 20

Port = Annotated[int, Field(ge=0, le=65_535)]


def parse_place(text: str) -> tuple[str, int]:
    """Host and port of host:port; ValueError where the host is no IP address in its one spelling."""
    host, port = split_endpoint(text)
    if not is_acceptable(host, allow_local=True) or not 1 <= port <= 65_535:
        raise ValueError("write an IP address and a port, such as 20.1.2.3:8646 or [2a01:4f8::1]:8646")
    return host, port


def parse_checkpoint(text: str) -> tuple[int, bytes]:
    """Height and id of HEIGHT:ID; ValueError where it is none."""
    height, _, block = text.partition(":")
    if not height.isdecimal() or len(height) > 15 or not re.fullmatch("[0-9a-fA-F]{64}", block):
        raise ValueError("write HEIGHT:ID, the id in 64 hex digits")
    return int(height), bytes.fromhex(block)


class NodeSettings(BaseSettings):
    """Every setting of a node. The names are those of the TOML file; INOS_<NAME> in the environment."""

    model_config = SettingsConfigDict(env_prefix=ENV_PREFIX, extra="forbid", frozen=True)
    file_values: ClassVar[Mapping[str, Any]] = {}

    network: str = "devnet"
    """A preset's name or a genesis file."""
    data_dir: Path = DEFAULT_HOME / "node"
    rpc_host: str = "127.0.0.1"
    rpc_port: Port = DEFAULT_RPC_PORT
    rpc_allowed_hosts: Annotated[tuple[str, ...], NoDecode] = ()
    """Names besides this machine's own that a request's Host header may carry; needed behind a proxy or 0.0.0.0."""
    explorer: bool = False
    """Whether the RPC address also serves the explorer's pages, under /explorer/."""
    rpc_body_limit: Annotated[int, Field(ge=1 << 16, le=1 << 30)] = DEFAULT_BODY_LIMIT
    """Bytes of the largest request."""
    p2p_host: str = "127.0.0.1"
    p2p_port: Port = DEFAULT_P2P_PORT
    """0 takes a free port."""
    peers: Annotated[tuple[str, ...], NoDecode] = ()
    """ID@host:port; in the environment separated by commas."""
    seeds: Annotated[tuple[str, ...], NoDecode] = ()
    """First nodes to ask for others, beside those of the genesis file; ID@host:port."""
    discovery: bool = True
    """Whether peers are found by themselves; without it only `peers` are dialled."""
    max_outbound: Annotated[int, Field(ge=0, le=64)] = 8
    max_inbound: Annotated[int, Field(ge=0, le=1024)] = 64
    announce: str | None = None
    """Where others reach this node, host:port with an IP address; without it the node learns that itself."""
    local_addresses: bool | None = None
    """Whether loopback and private addresses of peers are believed and dialled; by default on devnets only."""

    checkpoint: str | None = None
    """HEIGHT:ID of a recent final block one believes in: a node without a chain begins with a final block's state."""
    snapshot: bool = False
    """The same without a checkpoint: the final block is the one that peers prove from genesis on."""

    mine: str | None = None
    """An address to earn blocks for, or "auto" for a key the node makes itself."""
    mine_key_file: Path | None = None
    """The secret of the account that mines and takes paid jobs: 64 hex digits, readable by the owner alone."""
    mine_wallet: Path | None = None
    """A keystore file in place of mine_key_file."""
    password_file: Path | None = None
    """The keystore's password."""
    purpose: Purpose = Purpose.ANY
    min_reward_per_ticket: Annotated[float, Field(ge=0, allow_inf_nan=False)] = 0.0
    """Nano."""
    job_modes: Annotated[tuple[Literal["checked", "optimistic"], ...], NoDecode, Field(min_length=1)] = (
        "checked",
        "optimistic",
    )
    """Kinds of jobs the miner takes."""
    first_posters: Annotated[tuple[str, ...], NoDecode] = ()
    """Addresses whose jobs the miner does before all others, whatever they pay."""
    max_claims: Annotated[int, Field(ge=1, le=1024)] = 4
    max_job_bytes: Annotated[int, Field(ge=1)] = DEFAULT_MAX_JOB_BYTES
    filler_rate: Annotated[float, Field(ge=0, le=1e12, allow_inf_nan=False)] = 0.0
    """Filler tickets per second; 0 is no limit."""
    filler_rows: Annotated[int, Field(ge=16, le=65_536)] = 1024
    filler_depth: Annotated[int, Field(ge=1, le=65_536)] = 1024
    backend: str = "auto"
    threads: Annotated[int, Field(ge=1, le=1024)] | None = None

    mesh_quota: Annotated[ByteSize, Field(ge=0)] | None = None
    """Room for matrices, such as 20GiB; without it the disk's, less what is left to the chain."""
    mesh_scrub_rate: Annotated[ByteSize, Field(ge=0)] = ByteSize(8 << 20)
    """Bytes a second of stored matrices that are read back and checked; 0 is none."""

    mesh_check_s: Annotated[float, Field(ge=0, allow_inf_nan=False)] | None = None
    """How often it is seen to that the network has as many copies of a matrix held here as are wanted; 0 is never,
    and without it every 20 spacings of blocks."""

    watch: bool = False
    """Whether optimistic results are checked in their window, and wrong ones challenged."""
    watch_key_file: Path | None = None
    """The secret of the account that sends challenges; without it a key the node makes. It needs credits for fees."""

    vote: bool | None = None
    jury: bool = True
    """A voting node judges disputed results with the seats that its voter is drawn for."""
    """Whether the node votes on finality, with a BLS key in its data directory; without it, where it mines on a
    devnet."""
    vote_bond: str | None = None
    """Credits: the node registers as a voter by itself with this bond, from the account it mines with."""
    vote_max_bond: str | None = None
    """Credits: it raises the bond up to this as it mines more; without it never."""

    metrics: str | None = None
    """Where to serve /metrics, /health and /ready: host:port, 0 for a free port. Nowhere without."""

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
            parse_place(value)
        return value

    @field_validator("checkpoint", mode="after")
    @classmethod
    def _check_checkpoint(cls, value: str | None) -> str | None:
        if value is not None:
            parse_checkpoint(value)
        return value

    @field_validator("peers", "seeds", "rpc_allowed_hosts", "job_modes", "first_posters", mode="before")
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
        return init_settings, env_settings, _FileSource(settings_cls)


class _FileSource(PydanticBaseSettingsSource):
    """The TOML file's values, read before by load_settings."""

    def get_field_value(self, field: Any, field_name: str) -> tuple[Any, str, bool]:
        values: Mapping[str, Any] = getattr(self.settings_cls, "file_values", {})
        return values.get(field_name), field_name, False

    def __call__(self) -> dict[str, Any]:
        return dict(getattr(self.settings_cls, "file_values", {}))


def load_settings(flags: Mapping[str, Any], config: Path | None = None) -> NodeSettings:
    """Settings from flags (None is not given), the environment and the file.

    Args:
        config: the TOML file; without it <data-dir>/config.toml, where there is one.

    Raises:
        NodeError: "bad-setting", naming the setting and where it is wrong.
    """
    given = {name: value for name, value in flags.items() if value is not None}
    path = config or _build(given, {}, None).data_dir / CONFIG_NAME
    if config is None and not path.exists():
        return _build(given, {}, None)
    return _build(given, _read_config(path), path)


def _build(flags: Mapping[str, Any], values: Mapping[str, Any], path: Path | None) -> NodeSettings:
    class Settings(NodeSettings):
        file_values: ClassVar[Mapping[str, Any]] = values

    try:
        return Settings(**flags)
    except ValidationError as error:
        problems = "; ".join(_describe(problem, flags, values, path) for problem in error.errors())
        raise NodeError("bad-setting", problems, hint="inos node --help lists the settings") from error


FLAGS: Final = {
    "first_posters": "first-poster",
    "job_modes": "job-mode",
    "local_addresses": "allow-local-addresses",
    "min_reward_per_ticket": "min-reward",
    "peers": "peer",
    "rpc_allowed_hosts": "rpc-allow-host",
    "seeds": "seed",
}
"""Settings whose flag has another name."""


def _describe(problem: Any, flags: Mapping[str, Any], values: Mapping[str, Any], path: Path | None) -> str:
    name = str(problem["loc"][0]) if problem["loc"] else ""
    if name in flags:
        place = f"--{FLAGS.get(name, name.replace('_', '-'))}"
    elif name in values:
        place = f"{name} in {path}"
    else:
        place = f"{ENV_PREFIX}{name.upper()} in the environment"
    if problem["type"] == "extra_forbidden":
        return f"there is no setting {name!r} ({path})"
    return f"{place}: {str(problem['msg']).removeprefix('Value error, ')}, got {problem['input']!r}"


def _read_config(path: Path) -> dict[str, Any]:
    try:
        with path.expanduser().open("rb") as file:
            data = file.read(MAX_CONFIG_BYTES + 1)
        if len(data) > MAX_CONFIG_BYTES:
            raise NodeError("bad-setting", f"{path} is larger than {MAX_CONFIG_BYTES} bytes")
        return tomllib.loads(data.decode("utf-8"))
    except OSError as error:
        raise NodeError("bad-setting", f"cannot read the configuration {path}: {error.strerror}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise NodeError("bad-setting", f"{path} is not TOML: {error}") from error
