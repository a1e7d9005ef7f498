"""The generated code is what the OpenRPC document and the client's methods make it; `make models` writes it anew."""

import subprocess
import sys

import msgspec
import pytest

from client_code.files import PACKAGE, make_files
from inos.client import models
from inos.client.answers import convert
from inos.client.errors import ClientError


def test_the_generated_files_are_up_to_date() -> None:
    stale = [path.name for path, source in make_files().items() if path.read_text("utf-8") != source]
    assert not stale, "run: make models"


def test_amounts_are_numbers_and_members_of_a_newer_node_are_ignored() -> None:
    answer = {"fee": "1000", "fee_per_byte": "3", "newer": None}
    assert convert(models.FeeEstimate, answer, "tx_estimateFee").fee == 1000
    with pytest.raises(ClientError) as caught:
        convert(models.FeeEstimate, answer | {"fee": None}, "tx_estimateFee")
    assert (caught.value.code, "fee" in caught.value.message) == ("bad-response", True)


def test_members_that_may_be_null_or_absent() -> None:
    (done,) = (field for field in msgspec.structs.fields(models.Job) if field.name == "rows_done")
    assert done.default is None
    assert models.Job.__annotations__["worker"] == str | None


def test_the_client_imports_no_code_of_the_server() -> None:
    modules = [f"inos.client.{path.stem}" for path in PACKAGE.glob("*.py")]
    code = f"import sys, importlib\nfor name in {modules}: importlib.import_module(name)\n"
    code += "print(sorted(name for name in sys.modules if name.startswith(('inos.rpc', 'inos.node'))))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout == "[]\n"
