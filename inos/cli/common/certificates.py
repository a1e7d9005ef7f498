"""Certificates in files: canonical msgpack of [seal, witness], or JSON with the bytes in hex."""

import json
import os
from pathlib import Path
from typing import Any

import msgspec

from inos.cli.common.output import fail
from inos.primitives.codec import decode, encode
from inos.primitives.errors import CodecError
from inos.primitives.matrices import MAX_WITNESS_BYTES
from inos.work import Win

MAX_BINARY_BYTES = MAX_WITNESS_BYTES + 1024
MAX_JSON_BYTES = 4 * MAX_BINARY_BYTES
_HINT = "write one with: inos work mine X.npy W.npy --anchor HEX --target HEX -o cert.json"
_JSON_STARTS = b" \t\r\n{["


def to_json(win: Win) -> dict[str, Any]:
    """Return a certificate as JSON shows it: named fields, bytes in hex."""
    seal, witness = win.seal, win.witness
    refs = {
        name: {"id": ref.id.hex(), "rows": ref.rows, "cols": ref.cols, "root": ref.root.hex()}
        for name, ref in (("x", seal.x), ("w", seal.w))
    }
    return {
        "seal": {**refs, "i": seal.i, "j": seal.j, "p": seal.p, "digest": seal.digest.hex()},
        "witness": {
            "x_strip": witness.x_strip.hex(),
            "x_path": [node.hex() for node in witness.x_path],
            "w_strip": witness.w_strip.hex(),
            "w_path": [node.hex() for node in witness.w_path],
        },
    }


def write_certificate(path: Path, win: Win) -> None:
    """Write JSON if the name ends in .json, otherwise msgpack. A temporary file beside it is written first and then
    renamed.

    Raises:
        CommandError: "file-unwritable".
    """
    path = path.expanduser()
    data = json.dumps(to_json(win), indent=1).encode() if path.suffix == ".json" else encode(win)
    part = path.with_name(f".{path.name}.part")
    try:
        part.write_bytes(data)
        os.replace(part, path)
    except OSError as error:
        fail("file-unwritable", f"cannot write {path}: {error.strerror or error}")


def read_certificate(path: Path) -> Win:
    """Read a certificate in either form.

    Raises:
        CommandError: "file-unreadable", "bad-certificate".
    """
    try:
        with path.expanduser().open("rb") as file:
            data = file.read(MAX_JSON_BYTES + 1)
    except OSError as error:
        fail("file-unreadable", f"cannot read {path}: {error.strerror or error}")
    if data[:1] in _JSON_STARTS:  # this includes an empty file
        return _read_json(path, data)
    try:
        return decode(Win, data, limit=MAX_BINARY_BYTES)
    except CodecError as error:
        fail("bad-certificate", f"{path} is not a certificate: {error.message}", _HINT)


def _read_json(path: Path, data: bytes) -> Win:
    if len(data) > MAX_JSON_BYTES:
        fail("bad-certificate", f"{path} is larger than any certificate, {MAX_JSON_BYTES} bytes", _HINT)
    try:
        value = json.loads(data)
        seal, witness = value["seal"], value["witness"]
        refs = [[_unhex(ref["id"]), ref["rows"], ref["cols"], _unhex(ref["root"])] for ref in (seal["x"], seal["w"])]
        strips = [_unhex(witness["x_strip"]), [_unhex(node) for node in witness["x_path"]]]
        strips += [_unhex(witness["w_strip"]), [_unhex(node) for node in witness["w_path"]]]
        fields = [[*refs, seal["i"], seal["j"], seal["p"], _unhex(seal["digest"])], strips]
        return msgspec.convert(fields, Win)
    except KeyError as error:
        fail("bad-certificate", f"{path} has no field {error}", _HINT)
    except (ValueError, TypeError, RecursionError) as error:
        fail("bad-certificate", f"{path} is not a certificate: {error}", _HINT)


def _unhex(text: Any) -> bytes:
    if not isinstance(text, str):
        raise TypeError(f"hex text was expected, not {text!r:.40}")
    return bytes.fromhex(text)
