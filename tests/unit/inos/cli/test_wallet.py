"""`inos wallet` end to end over real files, with a small JSON-RPC server in place of a node."""

import json
import stat
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import msgspec
import pytest
from typer.testing import CliRunner

from inos.cli import main as cli
from inos.cli.common import wallets as _wallets
from inos.cli.common.remote import call_rpc
from inos.client import models
from inos.client.errors import RemoteError
from inos.consensus.movements import SIGNS, Movement, Reason
from inos.genesis import load_network
from inos.genesis.loading import read_genesis
from inos.primitives.codec import decode
from inos.primitives.transactions import (
    RegisterVoter,
    Transaction,
    Transfer,
    TransferMany,
    UnbondVoter,
    WithdrawBond,
    compute_tx_id,
    get_sender,
    is_transaction_signed,
)
from inos.primitives.units import Address
from inos.wallet.addresses import decode_address, encode_address
from inos.wallet.keys import derive_key
from inos.wallet.keystore import ScryptCost
from inos.wallet.reasons import DESCRIPTIONS
from support.client_models import make_model
from support.disks import fill_disk, make_read_only, small_disk
from support.voters import get_bls_key, prove

DEV_PHRASE = "test test test test test test test test test test test junk"
TO = encode_address("dinos", Address(b"\x22" * 20))
runner = CliRunner()


def answer(kind: type[msgspec.Struct], **given: Any) -> dict[str, Any]:
    """Return the JSON of a result, made of the given members."""
    return dict(msgspec.to_builtins(make_model(kind))) | given


class StubNode:
    """Answers the methods that the wallet calls, and remembers what was sent."""

    def __init__(self) -> None:
        network = load_network("devnet")
        self.version = answer(
            models.NodeVersion,
            network="devnet",
            hrp=network.hrp,
            chain_id=network.params.chain_id,
            genesis=network.genesis_id.hex(),
        )
        self.balance = 10 * 10**9
        self.fee = "1000"
        self.balances: dict[str, int] = {}
        self.nonce = 3
        self.calls: list[tuple[str, Any]] = []
        self.sent: list[Transaction] = []
        self.raw: bytes | None = None
        self.final_height = 0
        self.new_addresses: set[str] = set()
        self.movements: list[dict[str, Any]] = []
        self.places: dict[str, set[tuple[int, int]]] = {}
        self.found: dict[str, Any] = {}
        self.url = ""

    def answer(self, method: str, params: Any) -> Any:
        self.calls.append((method, params))
        if method == "node_version":
            return self.version
        if method == "chain_getParams":
            document = read_genesis("devnet")
            network = {"network": "devnet", "chain_id": self.version["chain_id"]}
            return document.params.model_dump() | network
        if method == "state_getAccount" and params["address"] in self.new_addresses:
            return answer(models.Account, address=params["address"], nonce=0, pending_nonce=0, balance="0", bonded="0")
        if method == "state_getAccount":
            return answer(
                models.Account,
                address=params["address"],
                nonce=self.nonce,
                pending_nonce=self.nonce,
                balance=str(self.balances.get(params["address"], self.balance)),
                bonded="0" if self.balances else "500000000",
                merit="12",
                reputation="34",
            )
        if method == "tx_estimateFee":
            return answer(models.FeeEstimate, fee=self.fee)
        if method == "tx_send":
            tx = decode(Transaction, bytes.fromhex(params["hex"]), limit=8192)
            self.sent.append(tx)
            return {"id": compute_tx_id(tx).hex()}
        if method == "state_getHistory" and self.places:
            return self.list_places(params["address"], params["limit"], params.get("before"))
        if method == "state_getHistory" and self.movements:
            entry = {"height": 5, "kind": "block_start", "id": "cd" * 32, "movements": self.movements}
            return {"entries": [entry], "next": None}
        if method == "state_getHistory":
            sent = {"reason": "sent", "balance": "-1500000000", "bonded": "0", "counterparty": TO, "job": None}
            fee = {"reason": "fee", "balance": "-1000", "bonded": "0", "counterparty": None, "job": None}
            entry = {"height": 5, "time_ms": 0, "kind": "transfer", "id": "ab" * 32, "block": "cd" * 32}
            entry |= {"balance": "-1500001000", "bonded": "0", "fee": "1000", "movements": [fee, sent]}
            lapsed = {"reason": "claim_lapsed", "balance": "0", "bonded": "-100000000", "counterparty": TO, "job": None}
            start = entry | {"kind": "block_start", "id": "cd" * 32, "movements": [lapsed]}
            return {"entries": [entry, start, start | {"kind": "claim_job", "movements": []}], "next": "5:0"}
        if method == "chain_head":
            return {"height": 7, "final_height": self.final_height}
        if method == "tx_pool":
            waiting = {"id": "ef" * 32, "sender": TO, "kind": "transfer"}
            return {"count": 2, "transactions": [waiting, waiting | {"sender": "another", "id": "aa" * 32}]}
        if method == "chain_getTransaction":
            return self.found
        if method == "finality_register":
            return {"key": get_bls_key("alice").hex(), "proof": prove("alice").hex()}
        return None

    def list_places(self, address: str, limit: int, before: str | None) -> dict[str, Any]:
        """Return the page of an account that the entries at `places` are, as the node makes it."""
        end = (2**62, 0) if before is None else tuple(map(int, before.split("-")))
        places = sorted((place for place in self.places.get(address, ()) if place < end), reverse=True)
        entries = [
            {"height": height, "place": place, "kind": "transfer", "id": f"{height:02x}{place:02x}" * 16}
            for height, place in places[:limit]
        ]
        following = "{}-{}".format(*places[limit - 1]) if len(places) > limit else None
        return {"entries": entries, "next": following}

    def respond(self, body: bytes) -> bytes:
        if self.raw is not None:
            return self.raw
        request = json.loads(body)
        result = self.answer(request["method"], request["params"])
        if result is None:
            error = {"code": -32601, "message": "there is no such method", "data": {"code": "method-not-found"}}
            return json.dumps({"jsonrpc": "2.0", "id": request["id"], "error": error}).encode()
        return json.dumps({"jsonrpc": "2.0", "id": request["id"], "result": result}).encode()


@pytest.fixture
def node() -> Iterator[StubNode]:
    stub = StubNode()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            answer = stub.respond(self.rfile.read(int(self.headers["Content-Length"])))
            self.send_response(200)
            self.send_header("Content-Length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)

        def log_message(self, *args: Any) -> None:
            """Log nothing."""

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        stub.url = f"http://127.0.0.1:{server.server_port}"
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        yield stub
        server.shutdown()
        thread.join()


SIGNING = {"create", "restore", "import-key", "send", "send-many", "sign", "vote", "unvote", "withdraw"}


class Cli:
    """Runs commands against one wallet directory, with the password in a file."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory / "wallets"
        self.password = self.write(directory / "password", "correct horse\n")
        self.phrase = self.write(directory / "phrase", DEV_PHRASE + "\n")

    @staticmethod
    def write(path: Path, text: str) -> Path:
        path.write_text(text)
        path.chmod(0o600)
        return path

    def __call__(self, *args: str, input: str | None = None, password: bool = True) -> Any:
        extra = ["--wallet-dir", str(self.directory)] if args[0] not in ("broadcast", "transaction") else []
        if password and args[0] in SIGNING:
            extra += ["--password-file", str(self.password)]
        done = runner.invoke(cli.app, ["wallet", *args, *extra], input=input)
        assert done.exception is None or isinstance(done.exception, SystemExit), done.exception
        return done

    def restore(self) -> str:
        done = self("restore", "--phrase-file", str(self.phrase), "--json")
        assert done.exit_code == 0, done.output
        return str(json.loads(done.stdout)["address"])

    def fails(self, *args: str, **named: Any) -> str:
        """Return the code of the error as JSON, which must be all of stdout."""
        done = self(*args, "--json", **named)
        assert done.exit_code == 1, done.output
        return str(json.loads(done.stdout)["error"]["code"])


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Cli:
    monkeypatch.setattr(_wallets, "SCRYPT_COST", ScryptCost(n=16, r=1, p=1))
    for name in ("INOS_WALLET_DIR", "INOS_RPC", "INOS_NETWORK"):
        monkeypatch.delenv(name, raising=False)
    return Cli(tmp_path)


def test_create_shows_the_phrase_once_and_restore_gives_the_same_address(run: Cli) -> None:
    done = run("create", "--json", "--words", "12")
    assert done.exit_code == 0
    made = json.loads(done.stdout)
    assert len(made["phrase"].split()) == 12
    assert stat.S_IMODE(Path(made["file"]).stat().st_mode) == 0o600
    run.write(run.phrase, made["phrase"])
    again = json.loads(run("restore", "--wallet", "again", "--phrase-file", str(run.phrase), "--json").stdout)
    assert again["address"] == made["address"]
    assert "phrase" not in again
    listed = json.loads(run("list", "--json").stdout)
    assert [(w["wallet"], w["address"]) for w in listed["wallets"]] == [
        ("again", made["address"]),
        ("default", made["address"]),
    ]


def test_create_for_people(run: Cli) -> None:
    password = "correct-horse"  # Its letters make no word of a phrase.
    done = run("create", input=f"{password}\n{password}\n", password=False)
    assert done.exit_code == 0
    assert " 24. " in done.stdout
    assert "address dinos1" in done.stdout
    assert password not in done.stdout
    assert run("list").stdout.startswith("default          dinos1")


def test_an_existing_wallet_stays_without_force(run: Cli) -> None:
    address = run.restore()
    assert run.fails("create") == "keystore-exists"
    assert run.fails("restore", "--phrase-file", str(run.phrase)) == "keystore-exists"
    assert json.loads(run("address", "--json").stdout)["address"] == address
    done = run("create", "--force", "--json")
    assert done.exit_code == 0
    assert "is kept as" in done.stderr
    assert len(list(run.directory.glob("default.keystore.json.bak*"))) == 1


def test_restore_asks_for_the_phrase_and_names_a_wrong_word(run: Cli) -> None:
    assert run("restore", input=DEV_PHRASE + "\n").exit_code == 0
    done = run("restore", "--wallet", "b", input=DEV_PHRASE.replace("junk", "jump") + "\n")
    assert done.exit_code == 1
    assert "error [bad-phrase]" in done.stderr
    assert not (run.directory / "b.keystore.json").exists()


def test_passphrase_gives_another_wallet(run: Cli, tmp_path: Path) -> None:
    address = run.restore()
    file = Cli.write(tmp_path / "passphrase", "more")
    args = ["--phrase-file", str(run.phrase), "--passphrase-file", str(file)]
    assert json.loads(run("restore", "--wallet", "b", *args, "--json").stdout)["address"] != address


def test_restore_finds_the_addresses_that_were_used(run: Cli, node: StubNode) -> None:
    network = load_network("devnet")
    addresses = {n: encode_address(network.hrp, derive_key(DEV_PHRASE, index=n).address) for n in (0, 1, 21, 42)}
    node.nonce = node.balance = 0
    node.balances = {addresses[1]: 40 * 10**9, addresses[21]: 2 * 10**9, addresses[42]: 10**9}  # 42 is behind a gap
    restore = ("restore", "--phrase-file", str(run.phrase), "--rpc", node.url)
    done = run(*restore)
    assert done.exit_code == 0, done.output
    assert f"  1  {addresses[1]}  40 credits" in done.stdout
    assert f" 21  {addresses[21]}  2 credits" in done.stdout
    assert addresses[42] not in done.stdout
    shown = run("balance", "--rpc", node.url).stdout
    assert shown.splitlines()[0] == "42 credits on 3 addresses"
    assert json.loads(run("balance", "--rpc", node.url, "--json").stdout)["total"] == str(42 * 10**9)
    pay = ("--rpc", node.url, "--password-file", str(run.password))
    assert run("balance", "--index", "1", *pay).stdout.startswith("40 credits\n")
    assert json.loads(run("scan", *pay, "--json").stdout)["used"][0]["index"] == 1
    assert run.fails("balance", TO, "--index", "1", "--rpc", node.url) == "bad-setting"


def test_history_merges_the_addresses_that_were_used(run: Cli, node: StubNode) -> None:
    addresses = [run.restore(), run("address", "--index", "1", "--password-file", str(run.password)).stdout.strip()]
    others = [{"index": 1, "address": addresses[1]}]
    assert json.loads(run("list", "--json").stdout)["wallets"][0]["other_addresses"] == others
    assert addresses[1] in run("list").stdout
    shared = (5, 3)  # a transfer between the two
    node.places = {addresses[0]: {(9, 1), (5, 2), (4, 1), shared}, addresses[1]: {(7, 1), (5, 1), (1, 1), shared}}
    expected = sorted(((*place, a) for a in addresses for place in node.places[a]), key=lambda e: e[:2], reverse=True)
    for limit in (1, 2, 3, 4, 20):
        shown: list[tuple[int, int, str]] = []
        before: list[str] = []
        while True:
            asked = ("history", "--rpc", node.url, "--limit", str(limit), *before, "--json")
            page = json.loads(run(*asked).stdout)
            shown += [(e["height"], e["place"], e["address"]) for e in page["entries"]]
            if page["next"] is None:
                break
            before = ["--before", page["next"]]
        assert sorted(shown) == sorted(expected), f"limit {limit}: every entry once"
        assert [e[:2] for e in shown] == [e[:2] for e in expected], f"limit {limit}: newest first"
    lines = run("history", "--rpc", node.url).stdout.splitlines()
    assert [line.split()[0] for line in lines[:2]] == ["0", "1"]


def test_restore_needs_no_node(run: Cli) -> None:
    done = run("restore", "--phrase-file", str(run.phrase), "--rpc", "http://127.0.0.1:1")
    assert done.exit_code == 0, done.output
    assert "inos wallet scan --wallet default" in done.stdout


def test_a_raw_key_becomes_a_wallet_that_signs(run: Cli, node: StubNode, tmp_path: Path) -> None:
    key = derive_key(DEV_PHRASE, index=5)
    address = encode_address("dinos", key.address)
    file = Cli.write(tmp_path / "worker.key", key.secret.hex() + "\n")
    made = json.loads(run("import-key", "--key-file", str(file), "--json").stdout)
    assert made["address"] == address
    assert key.secret.hex() not in (run.directory / "default.keystore.json").read_text()
    assert run("send", TO, "1", "--rpc", node.url, "--yes").exit_code == 0
    assert is_transaction_signed(node.sent[0])
    assert get_sender(node.sent[0]) == key.address
    assert run("balance", "--rpc", node.url).stdout.startswith("10 credits\n")
    password = ("--password-file", str(run.password))
    assert [u["index"] for u in json.loads(run("scan", "--rpc", node.url, *password, "--json").stdout)["used"]] == [0]
    assert run.fails("address", "--index", "1", *password) == "bad-index"
    assert run.fails("import-key", "--key-file", str(file)) == "keystore-exists"


def test_a_raw_key_comes_from_standard_input_or_a_prompt(run: Cli) -> None:
    secret = derive_key(DEV_PHRASE).secret.hex()
    for name, source, typed in (("a", ("--key-file", "-"), "\ufeff0x" + secret + "\r\n"), ("b", (), secret + "\n")):
        done = run("import-key", "--wallet", name, *source, input=typed)
        assert done.exit_code == 0, done.output
        assert secret not in done.output
        assert encode_address("dinos", derive_key(DEV_PHRASE).address) in done.stdout


@pytest.mark.parametrize("text", ["", "ab" * 31, "ab" * 33, "00" * 32, "ff" * 32, "zz" * 32, "ab " * 32])
def test_what_is_no_raw_key(run: Cli, text: str) -> None:
    done = run("import-key", "--key-file", "-", "--json", input=text)
    assert json.loads(done.stdout)["error"]["code"] == "bad-key"
    assert not text.strip() or text.strip() not in done.output
    assert run("list").stdout.startswith("no wallets")


def test_addresses_by_index_and_network(run: Cli) -> None:
    first = run.restore()
    assert run("address").stdout.strip() == first
    second = run("address", "--index", "1", "--password-file", str(run.password)).stdout.strip()
    assert second != first
    tinos = run("address", "--network", "testnet").stdout.strip()
    assert decode_address("tinos", tinos) == decode_address("dinos", first)


def test_wallets_on_a_disk_that_may_only_be_read(tmp_path: Path, run: Cli) -> None:
    with small_disk(tmp_path / "disk", 1 << 20) as disk:
        run.directory = disk / "wallets"
        first = run.restore()
        make_read_only(disk)
        assert run("list").stdout.split() == ["default", first]
        assert run("address").stdout.strip() == first
        second = run("address", "--index", "1", "--password-file", str(run.password))
        assert second.exit_code == 0, second.output
        assert second.stdout.startswith("dinos1")
        assert "warning: cannot write" in second.stderr
        assert run("sign", "--to", TO, "--amount", "1", "--nonce", "0", "--fee", "0").exit_code == 0
        assert run.fails("create", "--wallet", "b") == "keystore-unwritable"
        assert run.fails("create", "--force") == "keystore-unwritable"


def test_a_full_disk_costs_no_wallet(tmp_path: Path, run: Cli) -> None:
    with small_disk(tmp_path / "disk", 1 << 20) as disk:
        run.directory = disk / "wallets"
        first = run.restore()
        before = {path.name: path.read_bytes() for path in run.directory.iterdir()}
        filler = fill_disk(disk)
        for arguments in (("create", "--wallet", "b"), ("create", "--force")):
            assert run.fails(*arguments) == "keystore-unwritable"
        assert {path.name: path.read_bytes() for path in run.directory.iterdir()} == before
        assert run("address").stdout.strip() == first
        filler.unlink()
        assert run("create", "--wallet", "b").exit_code == 0


def test_no_answer_at_a_prompt(run: Cli) -> None:
    done = run("create", "--json", input="", password=False)
    assert (done.exit_code, json.loads(done.stdout)["error"]["code"]) == (130, "aborted")
    assert run("list").stdout.startswith("no wallets")


def test_password_files(run: Cli, tmp_path: Path) -> None:
    run.restore()
    sign = ["sign", "--to", TO, "--amount", "1", "--nonce", "0", "--fee", "0"]
    empty = Cli.write(tmp_path / "empty", "\n")
    wrong = Cli.write(tmp_path / "wrong", "incorrect horse\n")
    for file, code in ((empty, "empty-secret"), (wrong, "wrong-password"), (tmp_path / "none", "file-unreadable")):
        assert run.fails(*sign, "--password-file", str(file), password=False) == code
    run.password.chmod(0o644)
    done = run(*sign, "--json")
    assert done.exit_code == 0
    assert "chmod 600" in done.stderr


def test_a_damaged_keystore_is_told_from_a_wrong_password(run: Cli) -> None:
    run.restore()
    path = run.directory / "default.keystore.json"
    data = bytearray(path.read_bytes())
    data[data.index(b"ciphertext") + 20] ^= 1
    path.write_bytes(data)
    assert run.fails("sign", "--to", TO, "--amount", "1", "--nonce", "0", "--fee", "0") == "keystore-damaged"
    assert json.loads(run("list", "--json").stdout)["wallets"][0]["error"]["code"] == "keystore-damaged"


def test_balance_of_wallets_and_addresses(run: Cli, node: StubNode) -> None:
    address = run.restore()
    done = run("balance", "--rpc", node.url)
    assert done.stdout.splitlines()[:2] == ["10 credits", "bonded     0.5 credits"]
    assert node.calls[-1] == ("state_getAccount", {"address": address})
    assert json.loads(run("balance", TO, "--rpc", node.url, "--json").stdout)["balance"] == "10000000000"
    assert node.calls[-1] == ("state_getAccount", {"address": TO})
    assert run("balance", "default", "--rpc", node.url).exit_code == 0
    assert run.fails("balance", TO[:-1] + "q", "--rpc", node.url) == "bad-checksum"


def test_history(run: Cli, node: StubNode) -> None:
    done = run("history", TO, "--rpc", node.url, "--limit", "5")
    lines = [line.split() for line in done.stdout.splitlines()]
    assert lines[1][:4] == ["5", "fee", "-0.000001", "ab" * 32]
    assert lines[2][:5] == ["5", "sent", "-1.5", TO, "ab" * 32]
    assert lines[3][:6] == ["5", "claim", "lapsed", "-0.1", TO, "cd" * 32]
    assert lines[4][:4] == ["5", "claim", "job", "cd" * 32]
    assert "--before 5:0" in done.stdout
    assert ("state_getHistory", {"address": TO, "limit": 5}) in node.calls
    assert "included, depth 3" in done.stdout
    assert "pending" in done.stdout
    assert "aa" * 32 not in done.stdout, "another account's"
    node.final_height = 5
    page = json.loads(run("history", TO, "--rpc", node.url, "--before", "5:0", "--json").stdout)
    assert ("state_getHistory", {"address": TO, "limit": 20, "before": "5:0"}) in node.calls
    assert page["entries"][0]["status"] == "final"
    assert page["pending"] == []


@pytest.mark.parametrize(
    ("found", "said"),
    [
        ({"status": "pending", "height": None, "finality": "none", "confirmations": 0}, "pending"),
        ({"status": "included", "height": 9, "finality": "justified", "confirmations": 4}, "included, depth 4"),
        ({"status": "included", "height": 9, "finality": "final", "confirmations": 14}, "final"),
    ],
)
def test_how_settled_a_transaction_is(run: Cli, node: StubNode, found: dict[str, Any], said: str) -> None:
    node.found = found
    assert run("transaction", "ab" * 32, "--rpc", node.url).stdout.startswith(said)


def test_what_a_new_address_burns_is_said_before_and_after(run: Cli, node: StubNode) -> None:
    run.restore()
    node.new_addresses = {TO}
    done = run("send", TO, "1", "--rpc", node.url, input="n\n")
    question = "The address is new: 0.0001 credits of that are burned for its account, and 0.9999 arrive."
    assert question in " ".join(done.output.split())
    assert node.sent == []
    done = run("send", TO, "1", "--rpc", node.url, "--yes")
    assert f"{TO} gets 0.9999; 0.0001 are burned for its account" in " ".join(done.stdout.split())
    shown = json.loads(run("send", TO, "1", "--rpc", node.url, "--yes", "--json").stdout)
    assert (shown["amount"], shown["account_fee"]) == ("1000000000", "100000")
    assert run.fails("send", TO, "0.0001", "--rpc", node.url, "--yes") == "amount-too-small"
    node.new_addresses = set()
    done = run("send", TO, "0.0001", "--rpc", node.url, "--yes")
    assert "burned" not in done.output
    assert json.loads(run("send", TO, "1", "--rpc", node.url, "--yes", "--json").stdout)["account_fee"] == "0"


def test_history_names_every_reason(run: Cli, node: StubNode) -> None:
    def make(reason: Reason) -> dict[str, Any]:
        moved = Movement(reason, 5 * 10**8)
        return {"reason": reason.name.lower(), "balance": str(moved.balance), "bonded": str(moved.bonded)}

    node.movements = [make(reason) for reason in Reason]
    lines = run("history", TO, "--rpc", node.url).stdout.splitlines()
    for reason in Reason:
        (line,) = [line for line in lines if f"  {DESCRIPTIONS[reason]}  " in line]
        changes = SIGNS[reason]
        assert [word for word in line.split() if word in ("0.5", "+0.5", "-0.5")] == [
            "+0.5" if sign > 0 else "-0.5" for sign in changes if sign
        ]


def test_becoming_a_voter_and_ceasing_to_be_one(run: Cli, node: StubNode) -> None:
    address = run.restore()
    assert run("vote", "--bond", "2", "--rpc", node.url, "--yes").exit_code == 0
    assert run("unvote", "--rpc", node.url, "--yes").exit_code == 0
    assert run("withdraw", "--rpc", node.url, "--yes").exit_code == 0
    bond = 2 * 10**9
    expected = [RegisterVoter(get_bls_key("alice"), prove("alice"), bond), UnbondVoter(), WithdrawBond()]
    assert [tx.payload for tx in node.sent] == expected
    asked = {"bond": str(bond), "send": False, "address": address}
    assert ("finality_register", asked) in node.calls, "the proof is made for the wallet's address alone"
    assert run.fails("vote", "--bond", "20", "--rpc", node.url, "--yes") == "insufficient-balance"


def test_send(run: Cli, node: StubNode) -> None:
    address = run.restore()
    done = run("send", TO, "1.5", "--rpc", node.url, "--yes", "--json")
    assert done.exit_code == 0, done.output
    (tx,) = node.sent
    assert is_transaction_signed(tx)
    assert (tx.nonce, tx.fee, tx.payload) == (3, 1000, Transfer(b"\x22" * 20, 1_500_000_000))
    shown = json.loads(done.stdout)
    assert (shown["id"], shown["from"], shown["to"]) == (compute_tx_id(tx).hex(), address, TO)
    assert (shown["amount"], shown["fee"]) == ("1500000000", "1000")


def test_send_follows_no_advice_for_a_fee_that_is_beyond_reason(run: Cli, node: StubNode) -> None:
    run.restore()
    sending = ("send", TO, "0.1", "-y", "--rpc", node.url)
    for node.fee, is_sent in (("100000001", False), (str(500 * 10**9), False), ("100000000", True)):
        sent = len(node.sent)
        result = run(*sending)
        assert (result.exit_code == 0) == is_sent, result.output
        assert len(node.sent) == sent + is_sent
        if not is_sent:
            assert "[fee-too-high]" in result.stderr
            assert "--fee CREDITS" in result.stderr
    node.fee = str(500 * 10**9)
    assert run(*sending, "--fee", "0.5").exit_code == 0
    assert node.sent[-1].fee == 500_000_000


def test_send_waits_until_a_block_has_it(run: Cli, node: StubNode) -> None:
    run.restore()
    node.found = {"status": "included", "height": 12}
    done = run("send", TO, "1.5", "--rpc", node.url, "--yes", "--wait")
    assert done.exit_code == 0, done.output
    assert done.stdout.strip() == f"sent {compute_tx_id(node.sent[0]).hex()}, in block 12"
    assert json.loads(run("send", TO, "1.5", "--rpc", node.url, "--yes", "--wait", "--json").stdout)["height"] == 12


def test_send_asks_and_takes_no_for_an_answer(run: Cli, node: StubNode) -> None:
    run.restore()
    assert run.fails("send", TO, "1", "--rpc", node.url, input="n\n") == "not-confirmed"
    assert node.sent == []
    assert run("send", TO, "1", "--fee", "0.5", "--rpc", node.url, input="y\n").exit_code == 0
    assert node.sent[0].fee == 500_000_000


OTHER = encode_address("dinos", Address(b"\x33" * 20))


def test_send_many(run: Cli, node: StubNode, tmp_path: Path) -> None:
    address = run.restore()
    file = run.write(tmp_path / "payments.csv", f"address,amount\n{OTHER},2\n{TO},1.5\n")
    node.new_addresses = {OTHER}
    done = run("send-many", str(file), "--rpc", node.url, input="y\n")
    assert done.exit_code == 0, done.output
    assert "Send 3.5 credits to 2 addresses? 1 of them are new: 0.0001 credits" in done.stderr
    assert "The fee is 0.000001." in done.stderr
    assert ("tx_estimateFee", {"payments": 2}) in node.calls
    (tx,) = node.sent
    assert is_transaction_signed(tx)
    packed = b"\x22" * 20 + (1_500_000_000).to_bytes(8, "big") + b"\x33" * 20 + (2_000_000_000).to_bytes(8, "big")
    assert (tx.nonce, tx.fee, tx.payload) == (3, 1000, TransferMany(packed))
    shown = json.loads(run("send-many", str(file), "--rpc", node.url, "--yes", "--json").stdout)
    assert (shown["from"], shown["total"], shown["account_fees"]) == (address, "3500000000", "100000")
    assert shown["payments"] == [{"to": TO, "amount": "1500000000"}, {"to": OTHER, "amount": "2000000000"}]


@pytest.mark.parametrize(
    ("lines", "code"),
    [
        (f"{TO},1\n{OTHER},x\n", "bad-payments-file"),
        (f"{TO},1\n{TO},1\n", "bad-payments-file"),
        (f"{TO},5\n{OTHER},5\n", "insufficient-balance"),  # the fee is missing
        (f"{encode_address('tinos', Address(bytes(20)))},1\n", "bad-payments-file"),
    ],
)
def test_payments_are_checked_before_anything_is_signed(
    lines: str, code: str, run: Cli, node: StubNode, tmp_path: Path
) -> None:
    run.restore()
    run.password.unlink()
    file = run.write(tmp_path / "payments.csv", lines)
    assert run.fails("send-many", str(file), "--rpc", node.url, "--yes") == code
    assert node.sent == []


def test_many_payments_are_not_sent_after_a_no(run: Cli, node: StubNode, tmp_path: Path) -> None:
    run.restore()
    file = run.write(tmp_path / "payments.csv", f"{TO},1\n")
    assert run.fails("send-many", str(file), "--rpc", node.url, input="n\n") == "not-confirmed"
    assert node.sent == []


@pytest.mark.parametrize(
    ("to", "amount", "code"),
    [
        (TO, "10", "insufficient-balance"),  # the fee is missing
        (TO, "99999999999", "bad-amount"),
        (TO, "0", "bad-amount"),
        (TO, "1.0000000001", "bad-amount"),
        (TO, "one", "bad-amount"),
        (TO[:-1] + "q", "1", "bad-checksum"),
        (encode_address("tinos", Address(bytes(20))), "1", "other-network"),
        ("bob", "1", "not-an-address"),
    ],
)
def test_what_is_refused_before_anything_is_signed(to: str, amount: str, code: str, run: Cli, node: StubNode) -> None:
    run.restore()
    run.password.unlink()  # were the password read first, that would be the error
    assert run.fails("send", to, amount, "--rpc", node.url, "--yes") == code
    assert node.sent == []


def test_a_node_of_another_network_gets_nothing(run: Cli, node: StubNode, tmp_path: Path) -> None:
    run.restore()
    file = tmp_path / "tx.json"
    run("sign", "--to", TO, "--amount", "1", "--nonce", "0", "--fee", "0", "-o", str(file))
    node.version["genesis"] = "00" * 32
    assert run.fails("send", TO, "1", "--rpc", node.url, "--yes") == "other-network"
    assert run.fails("broadcast", str(file), "--rpc", node.url) == "other-network"
    assert node.sent == []
    done = run("balance", "--rpc", node.url)
    assert done.exit_code == 0
    assert "warning" in done.stderr


def test_sign_offline_then_broadcast(run: Cli, node: StubNode, tmp_path: Path) -> None:
    run.restore()
    file = tmp_path / "tx.json"
    done = run("sign", "--to", TO, "--amount", "2", "--nonce", "7", "--fee", "0.1", "-o", str(file))
    assert done.exit_code == 0
    assert node.calls == []
    document = json.loads(file.read_text())
    assert document["id"] in done.stdout
    sent = run("broadcast", str(file), "--rpc", node.url, "--json")
    assert json.loads(sent.stdout)["id"] == document["id"]
    assert (node.sent[0].nonce, node.sent[0].fee) == (7, 100_000_000)
    bare = Cli.write(tmp_path / "tx.hex", document["hex"])
    assert run("broadcast", str(bare), "--rpc", node.url).exit_code == 0


def test_broadcast_refuses_what_was_changed_or_is_for_another_chain(run: Cli, node: StubNode, tmp_path: Path) -> None:
    run.restore()
    to = encode_address("tinos", Address(bytes(20)))
    file = tmp_path / "tx.json"
    args = ["sign", "--to", to, "--amount", "2", "--nonce", "7", "--fee", "1", "--network", "testnet", "-o", str(file)]
    assert run(*args).exit_code == 0
    assert run.fails("broadcast", str(file), "--rpc", node.url) == "other-network"
    text = json.loads(file.read_text())["hex"]
    for content in (text[:-1] + ("0" if text[-1] != "0" else "1"), "{}", '{"hex": 5}', "zz", "[]", ""):
        file.write_text(content)
        assert run.fails("broadcast", str(file), "--rpc", node.url) == "bad-transaction"
    assert run.fails("broadcast", str(tmp_path / "none"), "--rpc", node.url) == "file-unreadable"
    assert node.calls == []


def test_a_node_that_is_not_there(run: Cli) -> None:
    done = run("balance", TO, "--rpc", "http://127.0.0.1:1")
    assert done.exit_code == 1
    assert "error [node-unreachable]: no node answers at http://127.0.0.1:1" in done.stderr
    assert "inos node --network devnet" in done.stderr
    for url in ("nonsense", "ftp://x", "http://", "http://h:99999999"):
        assert run.fails("balance", TO, "--rpc", url) == "bad-url"


def test_answers_of_nodes_that_are_none(run: Cli, node: StubNode) -> None:
    for raw in (b"<html>", b"[]", b"{}", b'{"error": "x"}', b'{"result": 5}'):
        node.raw = raw
        assert run.fails("balance", TO, "--rpc", node.url) == "bad-response"


def test_refusals_of_the_node_pass_through(node: StubNode) -> None:
    with pytest.raises(RemoteError, match="the node refused nothing_here: there is no such method") as caught:
        call_rpc(node.url, "nothing_here")
    assert caught.value.code == "method-not-found"


def test_unknown_networks_and_wallets(run: Cli) -> None:
    assert run.fails("address") == "keystore-missing"
    assert run.fails("address", "--network", "mainnet") == "network-unknown"
    assert run.fails("address", "--wallet", "../x") == "bad-name"


def test_default_directory_follows_xdg(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    assert _wallets.get_wallet_dir(None) == tmp_path / "inos" / "wallets"
    monkeypatch.delenv("XDG_DATA_HOME")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert _wallets.get_wallet_dir(None) == tmp_path / ".local" / "share" / "inos" / "wallets"
