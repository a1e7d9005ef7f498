"""`inos faucet` as a process: it gives, forgets nothing when it is killed, and ends at Ctrl-C."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import aiohttp

from inos.primitives.units import Address
from inos.testing import TestChain
from inos.wallet.addresses import encode_address
from inos.wallet.keystore import KeystoreInfo, RawKey, ScryptCost, encode_keystore
from inos.wallet.store import get_path, write_keystore


@contextmanager
def run_faucet(chain: TestChain, folder: Path) -> Iterator[tuple[subprocess.Popen[str], str]]:
    command = [
        sys.executable, "-P", "-m", "inos", "faucet", "--folder", str(folder / "faucet"), "--amount", "10", "--per-day",
        "100", "--port", "0", "--password-file", str(folder / "password"), "--wallet-dir", str(folder / "wallets"),
        "--network", str(chain.genesis_file), "--rpc", chain.url,
    ]  # fmt: skip
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=os.environ)
    try:
        assert process.stdout is not None
        line = process.stdout.readline()
        assert "10 credits an address, 1000 a day" in line
        yield process, line.split()[2].rstrip(":")
    finally:
        process.kill()
        process.communicate()


async def claim(url: str, address: str) -> tuple[int, Any]:
    async with aiohttp.ClientSession() as http, http.post(f"{url}/claim", json={"address": address}) as response:
        return response.status, await response.json()


async def test_a_faucet_gives_once_and_goes_on_after_a_kill(tmp_path: Path) -> None:
    with TestChain(accounts=1, instant=False) as chain:
        (tmp_path / "password").write_text("secret\n")
        (tmp_path / "password").chmod(0o600)
        account, hrp = chain.accounts[0], chain.network.hrp
        info = KeystoreInfo(network=chain.network.name, hrp=hrp, address=account.address)
        data = encode_keystore(RawKey(account.secret), "secret", info, ScryptCost(n=2, r=1, p=1))
        write_keystore(get_path(tmp_path / "wallets", "default"), data)
        to = encode_address(hrp, Address(b"\x31" * 20))
        with run_faucet(chain, tmp_path) as (process, url):
            assert (await claim(url, to))[0] == 202
            process.send_signal(signal.SIGKILL)
        with run_faucet(chain, tmp_path) as (process, url):
            status, answer = await claim(url, to)
            assert (status, answer["error"]["code"]) == (429, "already-given")
            while not chain.get_balance(to):
                chain.mine()
            assert chain.get_balance(to) == 10 * 10**9 - chain.network.params.account_fee
            process.send_signal(signal.SIGINT)
            assert process.wait(60) == 130
