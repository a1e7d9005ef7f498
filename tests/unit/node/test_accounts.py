"""The account that a node mines for, by its settings."""

from pathlib import Path
from typing import Any

import pytest

from inos.core.errors import NodeError
from inos.node.accounts import get_pool_key, make_miner_settings
from inos.node.datadir import DataDir
from inos.node.settings import load_settings
from inos.primitives.errors import InosError
from inos.primitives.transactions import JobMode
from inos.wallet.addresses import encode_address
from inos.wallet.keys import derive_key
from inos.wallet.keystore import KeystoreInfo, ScryptCost, Secret, encode_keystore

PHRASE = "test test test test test test test test test test test junk"


def decide(lab: Any, path: Path, **flags: Any) -> Any:
    settings = load_settings({"data_dir": path, **flags})
    with DataDir(path, lab.network.genesis_id) as data:
        return make_miner_settings(settings, lab.network, data)


def write_secret(path: Path, text: str) -> Path:
    path.write_text(text)
    path.chmod(0o600)
    return path


def test_without_an_identity_a_node_does_not_mine(lab: Any, tmp_path: Path) -> None:
    assert decide(lab, tmp_path) is None
    assert not (tmp_path / "worker.key").exists()


def test_an_address_is_paid_and_a_key_of_the_node_s_own_works(lab: Any, tmp_path: Path) -> None:
    address = encode_address("dinos", lab.alice.address)
    orders = decide(lab, tmp_path, mine=address)
    assert orders.beneficiary == lab.alice.address
    assert orders.key == bytes.fromhex((tmp_path / "worker.key").read_text())
    assert decide(lab, tmp_path, mine=address) == orders


def test_filler_for_an_address_needs_no_key(lab: Any, tmp_path: Path) -> None:
    orders = decide(lab, tmp_path, mine=encode_address("dinos", lab.alice.address), purpose="filler")
    assert orders.key is None
    assert not (tmp_path / "worker.key").exists()


def test_a_key_file_is_paid_itself_unless_an_address_is_given(lab: Any, tmp_path: Path) -> None:
    file = write_secret(tmp_path / "key", lab.worker.secret.hex() + "\n")
    orders = decide(lab, tmp_path / "d", mine_key_file=file)
    assert (orders.beneficiary, orders.key) == (lab.worker.address, lab.worker.secret)
    orders = decide(lab, tmp_path / "d", mine_key_file=file, mine=encode_address("dinos", lab.alice.address))
    assert (orders.beneficiary, orders.key) == (lab.alice.address, lab.worker.secret)


def test_the_policy_is_what_the_node_was_told(lab: Any, tmp_path: Path) -> None:
    first = encode_address("dinos", lab.alice.address)
    orders = decide(lab, tmp_path, mine="auto", job_modes=("optimistic",), first_posters=(first,), max_job_bytes=77)
    assert orders.job_modes == {JobMode.OPTIMISTIC}
    assert orders.first_posters == {lab.alice.address}
    assert orders.max_job_bytes == 77
    assert decide(lab, tmp_path, mine="auto").job_modes == set(JobMode)
    with pytest.raises(InosError) as error:
        decide(lab, tmp_path, mine="auto", first_posters=(first[:-1] + "q",))
    assert error.value.code == "bad-checksum"


def test_a_wallet_mines_with_its_first_key(lab: Any, tmp_path: Path) -> None:
    key = derive_key(PHRASE)
    info = KeystoreInfo(network="devnet", hrp="dinos", address=encode_address("dinos", key.address))
    file = tmp_path / "wallet"
    file.write_bytes(encode_keystore(Secret(PHRASE), "pass word", info, ScryptCost(n=2**10)))
    password = write_secret(tmp_path / "password", "pass word\n")
    orders = decide(lab, tmp_path / "d", mine_wallet=file, password_file=password)
    assert (orders.beneficiary, orders.key) == (key.address, key.secret)
    for problem, code in (
        ({"password_file": write_secret(tmp_path / "other", "x")}, "wrong-password"),
        ({}, "bad-setting"),
    ):
        with pytest.raises(InosError) as refused:
            decide(lab, tmp_path / "d", mine_wallet=file, **problem)
        assert refused.value.code == code


def test_two_keys_and_a_key_that_is_none_are_refused(lab: Any, tmp_path: Path) -> None:
    file = write_secret(tmp_path / "key", lab.worker.secret.hex())
    with pytest.raises(NodeError) as two:
        decide(lab, tmp_path / "d", mine="auto", mine_key_file=file)
    assert two.value.code == "bad-setting"
    with pytest.raises(NodeError) as zero:
        decide(lab, tmp_path / "d", mine_key_file=write_secret(tmp_path / "zero", "00" * 32))
    assert zero.value.code == "bad-key-file"


def test_a_pool_needs_the_key_of_the_account_that_blocks_pay(lab: Any, tmp_path: Path) -> None:
    elsewhere = encode_address("dinos", lab.alice.address)
    for number, (flags, is_open) in enumerate((({}, False), ({"mine": "auto"}, True), ({"mine": elsewhere}, False))):
        path = tmp_path / str(number)
        miner, settings = decide(lab, path, pool=True, **flags), load_settings({"pool": True, **flags})
        if is_open:
            assert get_pool_key(settings, miner) == miner.key
            assert get_pool_key(load_settings(flags), miner) is None
            continue
        with pytest.raises(NodeError, match="--pool needs the key") as caught:
            get_pool_key(settings, miner)
        assert caught.value.code == "bad-setting"
