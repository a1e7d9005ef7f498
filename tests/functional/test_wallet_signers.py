"""Wallets whose transactions are signed elsewhere: several keys, offline, a process; and replaced ones, on a chain."""

import json
import logging
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import structlog
from typer.testing import CliRunner

from inos.cli import main as cli
from inos.cli.common import wallets
from inos.client.blocking_client import BlockingClient
from inos.primitives.units import NANO_PER_CREDIT as CREDIT
from inos.primitives.units import Address
from inos.testing import TestChain
from inos.wallet.addresses import encode_address
from inos.wallet.drafts import decode_draft
from inos.wallet.keys import make_key
from inos.wallet.keystore import ScryptCost
from inos.wallet.signers import KeySigner

SIGNER = Path(__file__).parents[1] / "support" / "signing_device.py"
ASK_PASSWORD = {
    "import-key",
    "public-key",
    "export-key",
    "send",
    "send-many",
    "sign",
    "cancel",
    "bump",
    "sign-message",
    "post",
}
ASK_CONSENT = {"send", "sign", "cancel", "bump", "export-key"}
runner = CliRunner()


@pytest.fixture(autouse=True)
def cheap_keystores(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wallets, "SCRYPT_COST", ScryptCost(n=2, r=1, p=1))


@pytest.fixture(autouse=True)
def quiet_logs() -> Iterator[None]:
    """The chain's node runs in this process, and would log between the answers of commands."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    yield
    structlog.reset_defaults()


@pytest.fixture(scope="module")
def chain() -> Iterator[TestChain]:
    with TestChain(accounts=4, instant=False) as running:
        yield running


class People:
    """Runs commands for several people, each with a folder of wallets."""

    def __init__(self, chain: TestChain, folder: Path) -> None:
        self.chain = chain
        self.folder = folder
        self.password = folder / "password"
        self.password.write_text("secret\n")
        self.password.chmod(0o600)

    def join(self, person: str, number: int) -> str:
        """Give a person the key of one of the chain's accounts; return the public key."""
        key = self.folder / f"{person}.key"
        key.write_text(self.chain.accounts[number].secret.hex())
        key.chmod(0o600)
        self(person, "wallet", "import-key", "--key-file", str(key))
        shown: str = self(person, "wallet", "public-key")["public_key"]
        return shown

    def __call__(self, person: str, *args: str, code: str = "") -> Any:
        """Run a command and return its JSON; of a failure, which has this code, the error."""
        extra = ["--json"]
        if args[1] in ASK_PASSWORD:
            extra += ["--password-file", str(self.password)]
        if args[1] in ASK_CONSENT and args[0] == "wallet":
            extra += ["--yes"]
        at = args.index("--") if "--" in args else len(args)
        env = {
            "INOS_NETWORK": str(self.chain.genesis_file),
            "INOS_WALLET_DIR": str(self.folder / person),
            "INOS_RPC": self.chain.url,
        }
        done = runner.invoke(cli.app, [*args[:at], *extra, *args[at:]], env=env)
        assert done.exception is None or isinstance(done.exception, SystemExit), done.exception
        assert (done.exit_code == 0) is not bool(code), done.output
        answer = json.loads(done.stdout)
        if code:
            assert answer["error"]["code"] == code
        return answer

    def get_credits(self, address: str) -> float:
        return int(self("alice", "wallet", "balance", address)["balance"]) / CREDIT


@pytest.fixture
def people(chain: TestChain, tmp_path: Path, quiet_logs: None) -> People:
    made = People(chain, tmp_path)
    keys = [made.join(name, number) for number, name in enumerate(("alice", "bob", "carol"))]
    shown = [
        made(name, "wallet", "multisig", "team", "-k", "2", *order)["address"]
        for name, order in (("alice", keys), ("bob", keys[::-1]))
    ]
    assert len(set(shown)) == 1
    made("alice", "wallet", "send", shown[0], "50")
    chain.mine()
    return made


def read_address(people: People, person: str, wallet: str) -> str:
    listed = people(person, "wallet", "list")["wallets"]
    return next(str(each["address"]) for each in listed if each["wallet"] == wallet)


def test_two_of_three_pay_by_a_file_that_travels(chain: TestChain, people: People) -> None:
    team, bob = (read_address(people, "alice", "team"), read_address(people, "bob", "default"))
    before, file = people.get_credits(bob), str(people.folder / "draft.json")
    people("alice", "wallet", "send", bob, "7", "--wallet", "team", code="signatures-missing")
    drafted = people("alice", "wallet", "send", bob, "7", "--wallet", "team", "--unsigned", file)
    assert (drafted["signatures_missing"], drafted["amount"], drafted["from"]) == (2, str(7 * CREDIT), team)
    people("bob", "wallet", "broadcast", file, code="signatures-missing")
    assert people("bob", "wallet", "sign", file)["signatures_missing"] == 1
    assert people("bob", "wallet", "sign", file)["signatures_missing"] == 1  # signing twice adds nothing
    assert people("carol", "wallet", "sign", file, "--show")["to"] == bob
    assert people("carol", "wallet", "sign", file)["signatures_missing"] == 0
    people("carol", "wallet", "broadcast", file)
    assert "height" not in people("bob", "wallet", "broadcast", file)  # both send it; the pool has it once
    chain.mine()
    assert people("bob", "wallet", "broadcast", file, "--wait")["height"] >= 1
    assert people.get_credits(bob) == before + 7
    cut = people.folder / "cut.json"
    for text in (Path(file).read_text()[:300], ""):
        cut.write_text(text)
        for command in ("sign", "broadcast"):
            people("bob", "wallet", command, str(cut), code="bad-transaction")


def test_signatures_made_side_by_side_are_combined(chain: TestChain, people: People) -> None:
    bob, folder = read_address(people, "bob", "default"), people.folder
    before = people.get_credits(bob)
    people("alice", "wallet", "send", bob, "3", "--wallet", "team", "--unsigned", str(folder / "a.json"))
    (folder / "b.json").write_text((folder / "a.json").read_text())
    for person, name in (("alice", "a"), ("carol", "b")):
        people(person, "wallet", "sign", str(folder / f"{name}.json"))
    both, whole = [str(folder / f"{name}.json") for name in "ab"], str(folder / "whole.json")
    assert people("bob", "wallet", "combine", *both, "-o", whole)["signatures_missing"] == 0
    people("bob", "wallet", "broadcast", whole)
    chain.mine()
    assert people.get_credits(bob) == before + 3
    people("alice", "wallet", "send", bob, "4", "--wallet", "team", "--unsigned", str(folder / "other.json"))
    people("bob", "wallet", "combine", both[0], str(folder / "other.json"), "-o", whole, code="different-drafts")


def test_many_keys_pay_the_fee_that_their_signatures_take(chain: TestChain, people: People) -> None:
    """Sixteen signatures take three times the bytes of a typical transaction; one that is too large is never signed."""
    keys = {make_key(bytes([n]) * 32).public: make_key(bytes([n]) * 32) for n in range(1, 17)}
    made = people("alice", "wallet", "multisig", "board", "-k", "16", *(key.hex() for key in keys))
    people("alice", "wallet", "send", made["address"], "50")
    chain.mine()
    bob, file = read_address(people, "bob", "default"), people.folder / "board.json"
    before = people.get_credits(bob)
    people("alice", "wallet", "send", bob, "2", "--wallet", "board", "--unsigned", str(file))
    draft = decode_draft(file.read_text())
    for public, key in keys.items():
        draft = draft.sign(public, KeySigner(key).sign)
    with BlockingClient(chain.url) as client:
        client.send_transaction(draft.finish())
    chain.mine()
    assert people.get_credits(bob) == before + 2
    lines = [f"{encode_address(chain.network.hrp, Address(bytes([n]) * 20))},0.01" for n in range(256)]
    (people.folder / "many.csv").write_text("\n".join(lines) + "\n")
    many = ("send-many", str(people.folder / "many.csv"), "--wallet", "board", "--unsigned", str(file))
    people("alice", "wallet", *many, code="transaction-too-large")


def test_strangers_and_changed_files_are_refused(people: People) -> None:
    bob, file = read_address(people, "bob", "default"), people.folder / "draft.json"
    people.join("mallory", 3)
    people("alice", "wallet", "send", bob, "7", "--wallet", "team", "--unsigned", str(file))
    people("mallory", "wallet", "sign", str(file), code="not-a-signer")
    people("alice", "wallet", "sign", str(file))
    draft = json.loads(file.read_text())
    for field in ("unsigned", "signatures"):
        changed = draft[field] if field == "unsigned" else next(iter(draft[field].values()))
        other = f"{changed[:-1]}{int(changed[-1], 16) ^ 1:x}"
        value = other if field == "unsigned" else dict.fromkeys(draft[field], other)
        file.write_text(json.dumps(draft | {field: value}))
        people("bob", "wallet", "sign", str(file), code="bad-draft")
    file.write_text(json.dumps(draft | {"to": "what people read changes nothing"}))
    assert people("bob", "wallet", "sign", str(file))["to"] == bob


def test_several_keys_post_and_cancel_a_job(chain: TestChain, people: People) -> None:
    folder = people.folder
    for name in ("x", "w"):
        np.save(folder / f"{name}.npy", np.ones((16, 64), np.int8))
    operands = [str(folder / f"{name}.npy") for name in ("x", "w")]
    file = str(folder / "post.json")
    drafted = people("alice", "job", "post", *operands, "--reward", "5", "--wallet", "team", "--unsigned", file)
    assert drafted["does"] == "PostJob"
    assert drafted["reward"] == str(5 * CREDIT)
    for person in ("alice", "bob"):
        people(person, "wallet", "sign", file)
    sent = people("alice", "wallet", "broadcast", file)
    chain.mine()
    assert chain.call("job_get", id=sent["id"])["poster"] == drafted["from"]


def test_a_watched_address_is_paid_from_by_the_machine_that_has_its_key(chain: TestChain, people: People) -> None:
    """The online machine knows an address only; the offline one signs, and asks no node."""
    alice, bob = read_address(people, "alice", "default"), read_address(people, "bob", "default")
    people("online", "wallet", "watch", "cold", alice)
    assert people("online", "wallet", "balance", "cold")["address"] == alice
    file, before = str(people.folder / "cold.json"), people.get_credits(bob)
    people("online", "wallet", "send", bob, "2", "--wallet", "cold", "--unsigned", file)
    people("alice", "wallet", "sign", file)
    people("online", "wallet", "broadcast", file)
    chain.mine()
    assert people.get_credits(bob) == before + 2
    people("online", "wallet", "watch", "cold", alice, code="keystore-exists")
    people("online", "wallet", "export-key", "--wallet", "cold", code="no-key-here")
    people("online", "wallet", "send", bob, "2", "--wallet", "cold", "--index", "1", code="bad-index")


def test_a_process_signs(chain: TestChain, people: People) -> None:
    key_file, bob = people.folder / "device.key", read_address(people, "bob", "default")
    key_file.write_text(chain.accounts[2].secret.hex())
    command = ["--", sys.executable, str(SIGNER), str(key_file)]
    made = people("online", "wallet", "connect", "device", *command)
    assert made["address"] == chain.accounts[2].address
    before = people.get_credits(bob)
    people("online", "wallet", "send", bob, "1", "--wallet", "device")
    chain.mine()
    assert people.get_credits(bob) == before + 1
    file = str(people.folder / "team.json")
    people("alice", "wallet", "send", bob, "1", "--wallet", "team", "--unsigned", file)
    assert people("online", "wallet", "sign", file, "--wallet", "device")["signatures_missing"] == 1
    for behaviour, code in (("refuse", "signer-refused"), ("lie", "signing-failed"), ("crash", "signer-failed")):
        key_file.write_text(f"{behaviour} {chain.accounts[2].secret.hex()}")
        people("online", "wallet", "send", bob, "1", "--wallet", "device", code=code)
    key_file.unlink()
    people("online", "wallet", "send", bob, "1", "--wallet", "device", code="signer-failed")


def test_a_pending_transaction_is_replaced(chain: TestChain, people: People) -> None:
    alice, bob = read_address(people, "alice", "default"), read_address(people, "bob", "default")
    before = people.get_credits(bob)
    first = people("alice", "wallet", "send", bob, "6", "--fee", "0.001")
    people("bob", "wallet", "bump", first["id"], code="not-the-sender")
    people("alice", "wallet", "bump", first["id"], "--fee", "0.00105", code="replacement-fee-too-low")
    second = people("alice", "wallet", "bump", first["id"])
    assert int(second["fee"]) >= 1_100_000
    assert (second["nonce"], second["amount"]) == (first["nonce"], first["amount"])
    gone = people("alice", "wallet", "cancel", second["id"])
    assert (gone["nonce"], gone["to"], gone["amount"]) == (first["nonce"], alice, "1")
    chain.mine()
    assert people.get_credits(bob) == before
    people("alice", "wallet", "cancel", gone["id"], code="not-pending")
    kept = people("alice", "wallet", "send", bob, "6", "--fee", "0.001")
    people("alice", "wallet", "bump", kept["id"])
    chain.mine()
    assert people.get_credits(bob) == before + 6


def test_labels_stand_for_addresses(chain: TestChain, people: People) -> None:
    bob = read_address(people, "bob", "default")
    people("alice", "wallet", "contacts", "add", "rob", bob)
    people("alice", "wallet", "contacts", "add", "rob", bob, code="bad-label")
    people("alice", "wallet", "contacts", "add", bob, bob, code="bad-label")
    people(
        "alice", "wallet", "contacts", "add", "typo", bob[:-1] + ("q" if bob[-1] != "q" else "p"), code="bad-checksum"
    )
    assert people("alice", "wallet", "send", "rob", "1")["to"] == bob
    assert people("alice", "wallet", "contacts", "list") == [{"label": "rob", "address": bob}]
    people("alice", "wallet", "contacts", "remove", "rob")
    people("alice", "wallet", "send", "rob", "1", code="not-an-address")
    chain.mine()


def test_a_pay_link_names_receiver_and_amount(chain: TestChain, people: People) -> None:
    bob = read_address(people, "bob", "default")
    link, before = people("bob", "wallet", "request", "2.5", "--message", "Invoice 7")["link"], people.get_credits(bob)
    assert link == f"inos:{bob}?amount=2.5&message=Invoice%207"
    sent = people("alice", "wallet", "send", link)
    assert (sent["to"], sent["amount"]) == (bob, str(25 * CREDIT // 10))
    people("alice", "wallet", "send", link, "3", code="bad-amount")
    people("alice", "wallet", "send", f"inos:{bob}", code="bad-amount")
    people("alice", "wallet", "send", f"inos:{bob}", "1")
    people("alice", "wallet", "send", link + "&amount=9", code="bad-link")
    chain.mine()
    assert people.get_credits(bob) == before + 3.5


def test_a_qr_code_is_drawn(chain: TestChain, people: People) -> None:
    env = {"INOS_NETWORK": str(chain.genesis_file), "INOS_WALLET_DIR": str(people.folder / "alice")}
    for command in (("address",), ("request", "1")):
        text, *drawn = runner.invoke(cli.app, ["wallet", *command, "--qr"], env=env).stdout.splitlines()
        assert chain.accounts[0].address in text
        assert len(drawn) > 15
        assert len({len(line) for line in drawn}) == 1
        assert set("".join(drawn)) <= set(" █▀▄")


def test_a_signed_text_proves_its_writer(people: People) -> None:
    signed = people("alice", "wallet", "sign-message", "I am Alice.")
    address, bob = signed["address"], read_address(people, "bob", "default")
    assert people("bob", "wallet", "verify-message", address, signed["proof"], "I am Alice.")["signed"]
    people("bob", "wallet", "verify-message", bob, signed["proof"], "I am Alice.", code="bad-proof")
    people("bob", "wallet", "verify-message", address, signed["proof"], "I am Bob.", code="bad-proof")
    people("bob", "wallet", "verify-message", address, signed["proof"][:-2] + "00", "I am Alice.", code="bad-proof")


def test_a_key_leaves_and_comes_back(chain: TestChain, people: People) -> None:
    file = people.folder / "exported"
    people("alice", "wallet", "export-key", "-o", str(file))
    assert file.stat().st_mode & 0o777 == 0o600
    assert file.read_text().strip() == chain.accounts[0].secret.hex() == people("alice", "wallet", "export-key")["key"]
    people("alice", "wallet", "export-key", "-o", str(file), code="file-exists")
    made = people("elsewhere", "wallet", "import-key", "--key-file", str(file))
    assert made["address"] == chain.accounts[0].address
