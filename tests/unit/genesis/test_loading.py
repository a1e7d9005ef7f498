"""Tests presets, refusals, and that a genesis id follows from the meaning of the file alone."""

import json
from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest

from inos.consensus.params import Params
from inos.genesis import GenesisError, derive_devnet, list_networks, load_network
from inos.primitives import bech32m
from inos.primitives.blocks import compute_block_id, compute_difficulty
from inos.primitives.units import Address, Nano, TimeMs
from inos.wallet.addresses import encode_address
from inos.wallet.keys import derive_key

# what each parameter becomes in `test_every_parameter_moves_the_id`, each legal beside the others
CHANGED: dict[str, Any] = {
    "spacing_ms": 2001,
    "asert_half_life_ms": 60_001,
    "genesis_target": f"{2**256 // 601 - 1:064x}",
    "max_target": f"{2**252 - 2:064x}",
    "max_future_ms": 15_001,
    "median_time_blocks": 10,
    "max_block_bytes": 1_048_577,
    "subsidy_initial": "50000000001",
    "subsidy_decay_interval": 10_001,
    "subsidy_tail": "1000000001",
    "burn_per_mille": 126,
    "byte_burn_per_mille": 126,
    "job_fee": "1000001",
    "account_fee": "100001",
    "max_checked_bytes": 33_554_433,
    "max_checked_block_bytes": 67_108_865,
    "max_optimistic_bytes": 2_147_483_649,
    "max_block_cost_us": 500_001,
    "min_bond": "100000001",
    "min_claim_window": 6,
    "max_claim_window": 2_001,
    "max_job_lifetime": 50_001,
    "base_open_claims": 5,
    "reputation_per_claim": "10000000001",
    "max_open_claims": 65,
    "reputation_half_life": 5_001,
    "job_retention": 5001,
    "result_depth": 241,
    "challenge_window": 31,
    "jury_size": 9,
    "jury_window": 31,
    "jury_mib_fee": "10001",
    "epoch_blocks": 9,
    "finality_start": 9,
    "bond_leverage": 1001,
    "max_voters": 513,
    "min_voter_bond": "7",
    "unbonding_epochs": 81,
}


def _document() -> dict[str, Any]:
    return dict(json.loads(files("inos.genesis").joinpath("data/devnet.json").read_text()))


def _load(tmp_path: Path, document: object, **dump: Any) -> Any:
    path = tmp_path / "net.json"
    path.write_text(document if isinstance(document, str) else json.dumps(document, **dump))
    return load_network(str(path))


def _error(tmp_path: Path, document: object) -> GenesisError:
    with pytest.raises(GenesisError) as caught:
        _load(tmp_path, document)
    return caught.value


@pytest.mark.parametrize("name", ["devnet", "testnet"])
def test_presets_load(name: str) -> None:
    network = load_network(name)
    assert network.name == name
    assert network.params.network == name
    assert network.genesis_id == compute_block_id(network.state.header)
    assert network.state.header.height == 0
    assert network.state.header.seal is None
    assert network.state.header.chain_id == network.params.chain_id


def test_presets_are_the_two_and_differ() -> None:
    assert list_networks() == ("devnet", "testnet")
    devnet, testnet = load_network("devnet"), load_network("testnet")
    assert devnet.genesis_id != testnet.genesis_id
    assert devnet.params.chain_id != testnet.params.chain_id
    assert (devnet.hrp, testnet.hrp) == ("dinos", "tinos")


def test_numbers_of_the_presets() -> None:
    devnet, testnet = load_network("devnet").params, load_network("testnet").params
    assert (devnet.spacing_ms, devnet.asert_half_life_ms, devnet.epoch_blocks) == (2_000, 60_000, 4)
    assert (testnet.spacing_ms, testnet.asert_half_life_ms, testnet.epoch_blocks) == (30_000, 3_600_000, 32)
    assert [compute_difficulty(p.genesis_target) for p in (devnet, testnet)] == [20_000, 200_000]
    assert [compute_difficulty(p.max_target) for p in (devnet, testnet)] == [16, 4096]
    for params in (devnet, testnet):
        assert params.burn_per_mille == 125
        assert (params.max_block_bytes, params.max_future_ms, params.median_time_blocks) == (
            4 * 1024 * 1024,
            15_000,
            11,
        )


def test_devnet_funds_the_documented_account() -> None:
    key = derive_key("test test test test test test test test test test test junk")
    allocations = _document()["allocations"]
    assert allocations == {encode_address("dinos", key.address): "1000000000000000"}


def test_files_hold_every_consensus_parameter() -> None:
    fields = set(Params.__struct_fields__) - {"network", "chain_id"}
    assert fields == set(_document()["params"]) == set(CHANGED)


def test_the_id_is_independent_of_formatting_and_order(tmp_path: Path) -> None:
    document = _document()
    backwards = {k: dict(reversed(list(v.items()))) for k, v in reversed(list(document.items()))}
    expected = load_network("devnet").genesis_id
    assert _load(tmp_path, document, indent=None, separators=(",", ":")).genesis_id == expected
    assert _load(tmp_path, backwards, indent=7).genesis_id == expected


@pytest.mark.parametrize("field", sorted(CHANGED))
def test_every_parameter_moves_the_id(field: str, tmp_path: Path) -> None:
    document = _document()
    assert document["params"][field] != CHANGED[field]
    document["params"][field] = CHANGED[field]
    network = _load(tmp_path, document)
    assert network.genesis_id != load_network("devnet").genesis_id
    assert network.params != load_network("devnet").params


def test_bounds_and_prices_of_the_presets() -> None:
    devnet, testnet = load_network("devnet").params, load_network("testnet").params
    mib = 1 << 20
    assert [
        (p.byte_burn_per_mille, p.job_fee, p.account_fee, p.max_checked_bytes, p.max_checked_block_bytes)
        for p in (devnet, testnet)
    ] == [(125, 10**6, 10**5, 32 * mib, 64 * mib), (5, 10**7, 10**6, 8 * mib, 16 * mib)]
    assert [(p.max_optimistic_bytes, p.max_block_cost_us) for p in (devnet, testnet)] == [
        (2048 * mib, 400_000),
        (4096 * mib, 5_000_000),
    ]


@pytest.mark.parametrize(("field", "value"), [("name", "other"), ("chain_id", 7), ("genesis_time_ms", 1)])
def test_name_chain_and_time_move_the_id(field: str, value: object, tmp_path: Path) -> None:
    document = _document()
    document["network"][field] = value
    assert _load(tmp_path, document).genesis_id != load_network("devnet").genesis_id


def test_allocations_move_the_id_and_seeds_do_not(tmp_path: Path) -> None:
    document = _document()
    document["network"]["seeds"] = ["ab" * 32 + "@127.0.0.1:9000"]
    network = _load(tmp_path, document)
    assert network.genesis_id == load_network("devnet").genesis_id
    assert network.seeds == ("ab" * 32 + "@127.0.0.1:9000",)
    document["allocations"] = {}
    assert _load(tmp_path, document).genesis_id != network.genesis_id


@pytest.mark.parametrize(
    ("section", "field", "value", "words"),
    [
        ("params", "extra", 1, "params.extra"),
        ("network", "extra", 1, "network.extra"),
        ("params", "spacing_ms", "2000", "params.spacing_ms"),
        ("params", "spacing_ms", 2000.0, "params.spacing_ms"),
        ("params", "spacing_ms", True, "params.spacing_ms"),
        ("params", "spacing_ms", 0, "params.spacing_ms"),
        ("params", "spacing_ms", 70_000, "spacing_ms is above asert_half_life_ms"),
        ("params", "burn_per_mille", -1, "params.burn_per_mille"),
        ("params", "subsidy_initial", 50, "params.subsidy_initial"),
        ("params", "subsidy_initial", "-1", "params.subsidy_initial"),
        ("params", "subsidy_initial", "1.5", "params.subsidy_initial"),
        ("params", "subsidy_initial", "007", "params.subsidy_initial"),
        ("params", "subsidy_initial", "18446744073709551616", "2^64"),
        ("params", "subsidy_initial", "1", "subsidy_tail is above subsidy_initial"),
        ("params", "reputation_per_claim", "0", "at least 1 nano"),
        ("params", "max_checked_block_bytes", 1 << 20, "max_checked_bytes is above max_checked_block_bytes"),
        ("params", "max_block_cost_us", 100_000, "max_block_cost_us must be at least"),
        ("params", "unbonding_epochs", 35, "at least 36"),
        ("params", "genesis_target", "ff", "params.genesis_target"),
        ("params", "genesis_target", "0" * 64, "at least 1"),
        ("params", "genesis_target", "f" * 64, "not above max_target"),
        ("params", "min_claim_window", 3_000, "min_claim_window is above max_claim_window"),
        ("network", "chain_id", 2**32, "network.chain_id"),
        ("network", "hrp", "Dinos", "network.hrp"),
        ("network", "seeds", ["nobody"], "network.seeds.0"),
        ("allocations", "dinos1qqq", "1", "allocations.dinos1qqq"),
        ("allocations", bech32m.encode("tinos", bytes(20)), "1", "begin with dinos1"),
        ("allocations", bech32m.encode("dinos", bytes(20)), "18446744073709551615", "add up"),
    ],
)
def test_refusals_name_the_field(section: str, field: str, value: object, words: str, tmp_path: Path) -> None:
    document = _document()
    document[section][field] = value
    error = _error(tmp_path, document)
    assert error.code == "genesis-invalid"
    assert words in error.message
    assert "net.json" in error.message


@pytest.mark.parametrize("field", sorted(CHANGED))
def test_no_parameter_has_a_default(field: str, tmp_path: Path) -> None:
    document = _document()
    del document["params"][field]
    assert f"params.{field}" in _error(tmp_path, document).message


@pytest.mark.parametrize("text", ["", "{", "[]", "null", "[" * 100_000, '{"network": NaN}'])
def test_what_is_no_genesis_file(text: str, tmp_path: Path) -> None:
    assert _error(tmp_path, text).code == "genesis-invalid"


def test_a_file_of_protocol_1_says_what_it_is(tmp_path: Path) -> None:
    content = json.loads(files("inos.genesis").joinpath("data/devnet.json").read_text())
    content["params"]["merit_premium"] = 4
    error = _error(tmp_path, json.dumps(content))
    assert error.code == "old-protocol"
    assert "genesis file of protocol 1" in error.message
    assert "inos genesis derive" in error.hint


def test_a_key_that_stands_twice_is_refused(tmp_path: Path) -> None:
    text = json.dumps(_document()).replace('"spacing_ms": 2000', '"spacing_ms": 2000, "spacing_ms": 3000')
    assert "'spacing_ms' occurs twice" in _error(tmp_path, text).message


def test_one_address_in_two_spellings_is_refused(tmp_path: Path) -> None:
    document = _document()
    (address,) = document["allocations"]
    document["allocations"][address.upper()] = "1"
    assert "twice" in _error(tmp_path, document).message


def test_unknown_names_and_unreadable_files(tmp_path: Path) -> None:
    with pytest.raises(GenesisError, match="devnet, testnet") as caught:
        load_network("mainnet")
    assert caught.value.code == "network-unknown"
    for path in (tmp_path / "none.json", tmp_path):
        with pytest.raises(GenesisError, match="cannot read") as caught:
            load_network(str(path))
        assert caught.value.code == "genesis-unreadable"
    (tmp_path / "bytes.json").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(GenesisError, match="UTF-8"):
        load_network(str(tmp_path / "bytes.json"))


def test_a_derived_devnet_has_its_own_time_accounts_and_id(tmp_path: Path) -> None:
    allocations = {Address(b"\x01" * 20): Nano(5), Address(b"\x02" * 20): Nano(7)}
    text = derive_devnet("devnet", TimeMs(1_800_000_000_000), allocations, params={"spacing_ms": 500})
    network = _load(tmp_path, text)
    assert network.genesis_id != load_network("devnet").genesis_id
    assert network.state.header.time_ms == 1_800_000_000_000
    assert network.params.spacing_ms == 500
    assert json.loads(text)["allocations"] == {
        bech32m.encode("dinos", b"\x01" * 20): "5",
        bech32m.encode("dinos", b"\x02" * 20): "7",
    }
    with pytest.raises(GenesisError, match="no_such"):
        derive_devnet("devnet", TimeMs(0), {}, params={"no_such": 1})
