"""Makes a `Network` of a name or a path, and a user's own genesis file of a preset."""

import json
from collections.abc import Mapping
from importlib.resources import files
from pathlib import Path
from typing import Any, Final

from msgspec import Struct
from pydantic import ValidationError

from inos.consensus.genesis_state import GenesisState, make_genesis
from inos.consensus.params import Params
from inos.genesis.errors import GenesisError
from inos.genesis.schema import GenesisFile, ParamsSection
from inos.primitives import bech32m
from inos.primitives.blocks import compute_block_id
from inos.primitives.units import Address, BlockId, DurationMs, Nano, Target, TimeMs

MAX_FILE_BYTES: Final = 16 << 20
MAX_SHOWN_PROBLEMS: Final = 5


class Network(Struct, frozen=True):
    """All that a node needs of a network: parameters, genesis block and state, and the first peers."""

    params: Params
    state: GenesisState
    genesis_id: BlockId
    hrp: str
    """The prefix of its addresses."""
    name: str
    seeds: tuple[str, ...]
    """The first peers, as NODEID@host:port."""


def list_networks() -> tuple[str, ...]:
    """Return the names of the presets, sorted."""
    return tuple(
        sorted(
            f.name.removesuffix(".json") for f in files("inos.genesis").joinpath("data").iterdir() if _is_json(f.name)
        )
    )


def load_network(name_or_path: str) -> Network:
    """Return a preset by name, or a network from a genesis file.

    Raises:
        GenesisError: "network-unknown", "genesis-unreadable", or "genesis-invalid" naming the field.
    """
    return make_network(read_genesis(name_or_path))


def read_genesis(name_or_path: str) -> GenesisFile:
    """Return the checked content of a preset or genesis file. It raises as `load_network` does."""
    return parse_genesis(read_genesis_text(name_or_path), name_or_path)


def parse_genesis(text: str, place: str) -> GenesisFile:
    """Parse and check a genesis file's text; messages name it by `place`.

    Raises:
        GenesisError: "genesis-invalid", with each field's path and the reason; "old-protocol".
    """
    try:
        content = json.loads(text, object_pairs_hook=_refuse_duplicates)
        _refuse_protocol_1(content, place)
        return GenesisFile.model_validate(content)
    except ValidationError as error:
        problems = [_describe(e) for e in error.errors()]
        more = f" (and {len(problems) - MAX_SHOWN_PROBLEMS} more)" if len(problems) > MAX_SHOWN_PROBLEMS else ""
        raise GenesisError("genesis-invalid", f"{place}: {'; '.join(problems[:MAX_SHOWN_PROBLEMS])}{more}") from error
    except (ValueError, RecursionError) as error:
        raise GenesisError("genesis-invalid", f"{place}: not a JSON document: {error}") from error


def _refuse_protocol_1(content: Any, place: str) -> None:
    params = content.get("params") if isinstance(content, dict) else None
    if isinstance(params, dict) and "merit_premium" in params:
        raise GenesisError(
            "old-protocol",
            f"{place} is a genesis file of protocol 1, this program follows 2",
            hint="derive a new one from a preset with inos genesis derive: a chain of protocol 1 does not go on",
        )


def make_network(file: GenesisFile) -> Network:
    """Return the network that a checked genesis file describes. Its id depends on the values alone, not on the text."""
    params = make_params(file)
    state = make_genesis(params, TimeMs(file.network.genesis_time_ms), file.get_allocations())
    return Network(
        params=params,
        state=state,
        genesis_id=compute_block_id(state.header),
        hrp=file.network.hrp,
        name=file.network.name,
        seeds=tuple(file.network.seeds),
    )


def make_params(file: GenesisFile) -> Params:
    """Return the consensus parameters of a checked genesis file."""
    p: ParamsSection = file.params
    return Params(
        network=file.network.name,
        chain_id=file.network.chain_id,
        spacing_ms=DurationMs(p.spacing_ms),
        asert_half_life_ms=DurationMs(p.asert_half_life_ms),
        genesis_target=Target(int(p.genesis_target, 16)),
        max_target=Target(int(p.max_target, 16)),
        max_future_ms=DurationMs(p.max_future_ms),
        median_time_blocks=p.median_time_blocks,
        max_block_bytes=p.max_block_bytes,
        subsidy_initial=Nano(int(p.subsidy_initial)),
        subsidy_decay_interval=p.subsidy_decay_interval,
        subsidy_tail=Nano(int(p.subsidy_tail)),
        burn_per_mille=p.burn_per_mille,
        byte_burn_per_mille=p.byte_burn_per_mille,
        job_fee=Nano(int(p.job_fee)),
        account_fee=Nano(int(p.account_fee)),
        max_checked_bytes=p.max_checked_bytes,
        max_checked_block_bytes=p.max_checked_block_bytes,
        max_optimistic_bytes=p.max_optimistic_bytes,
        max_block_cost_us=p.max_block_cost_us,
        min_bond=Nano(int(p.min_bond)),
        min_claim_window=p.min_claim_window,
        max_claim_window=p.max_claim_window,
        max_job_lifetime=p.max_job_lifetime,
        base_open_claims=p.base_open_claims,
        reputation_per_claim=Nano(int(p.reputation_per_claim)),
        max_open_claims=p.max_open_claims,
        reputation_half_life=p.reputation_half_life,
        job_retention=p.job_retention,
        result_depth=p.result_depth,
        challenge_window=p.challenge_window,
        jury_size=p.jury_size,
        jury_window=p.jury_window,
        jury_mib_fee=Nano(int(p.jury_mib_fee)),
        epoch_blocks=p.epoch_blocks,
        finality_start=p.finality_start,
        bond_leverage=p.bond_leverage,
        max_voters=p.max_voters,
        min_voter_bond=Nano(int(p.min_voter_bond)),
        unbonding_epochs=p.unbonding_epochs,
    )


def derive_devnet(
    base: str,
    time_ms: TimeMs,
    allocations: Mapping[Address, Nano],
    *,
    params: Mapping[str, Any] | None = None,
    network: Mapping[str, Any] | None = None,
) -> str:
    """Return the text of a genesis file like `base` (name or path), with its own time and funded accounts.

    `params` and `network` replace single members of those sections, written as in the file. The base's
    allocations and seeds are dropped, since a new network has other accounts and peers.

    Raises:
        GenesisError: for the same reasons as `load_network`; "genesis-invalid" if the result would not load.
    """
    document = read_genesis(base).model_dump()
    hrp = document["network"]["hrp"]
    document["network"] |= {"genesis_time_ms": int(time_ms), "seeds": []} | dict(network or {})
    document["params"] |= dict(params or {})
    document["allocations"] = {bech32m.encode(hrp, a): str(int(n)) for a, n in sorted(allocations.items())}
    text = json.dumps(document, indent=2) + "\n"
    parse_genesis(text, f"a devnet made from {base}")
    return text


def read_genesis_text(name_or_path: str) -> str:
    """Return the text of a preset or genesis file. It raises as `load_network` does."""
    if name_or_path in list_networks():
        return files("inos.genesis").joinpath("data", f"{name_or_path}.json").read_text("utf-8")
    path = Path(name_or_path).expanduser()
    if not _is_json(name_or_path) and path.name == name_or_path and not path.is_file():
        raise GenesisError(
            "network-unknown",
            f"there is no network named {name_or_path!r}",
            hint=f"known are {', '.join(list_networks())}; or give the path of a genesis file",
        )
    try:
        with path.open("rb") as file:
            data = file.read(MAX_FILE_BYTES + 1)
        if len(data) > MAX_FILE_BYTES:
            raise GenesisError("genesis-unreadable", f"{path} is larger than {MAX_FILE_BYTES} bytes")
        return data.decode("utf-8")
    except OSError as error:
        raise GenesisError("genesis-unreadable", f"cannot read the genesis file {path}: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise GenesisError("genesis-invalid", f"{path}: not UTF-8 text: {error.reason}") from error


def _is_json(name: str) -> bool:
    return name.endswith(".json")


def _refuse_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Refuse a key that occurs twice: JSON readers take the first or the last, and could see two networks."""
    result = dict(pairs)
    if len(result) != len(pairs):
        names = [name for name, _ in pairs]
        raise ValueError(f"the key {next(n for n in names if names.count(n) > 1)!r} occurs twice")
    return result


def _describe(problem: Any) -> str:
    place = ".".join(str(part) for part in problem["loc"])
    message = str(problem["msg"]).removeprefix("Value error, ")
    return f"{place}: {message}" if place else message
