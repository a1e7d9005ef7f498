"""Every rule's code is a member of `Code`, also where a package below consensus writes it as text."""

import ast
from collections.abc import Iterator

from inos.consensus.codes import Code
from inos.primitives.errors import RuleViolation
from support.documents import ROOT

ABOVE = ("consensus", "chain", "core", "network", "light", "agents", "miner", "rpc", "node")
HIDDEN = {"above-target", "bad-x-shape", "bad-x-matrix-id", "bad-x-strip-size"}
"""These codes belong to certificates that are verified alone; a block with such a fault is refused earlier, by its
header's checks or while decoding.
"""
STRIP_CODES = {"bad-shape", "bad-matrix-id", "bad-strip-size", "bad-path-length", "bad-path"} | {
    "nonzero-padding",
    "entry-out-of-range",
}
"""The codes that work.matrices.check_strip raises; a certificate's code also names the side."""


def list_codes(folder: str, errors: set[str]) -> Iterator[tuple[str, str]]:
    """Yield the place and the text of every code that is given to an error of these classes in a file or folder."""
    top = ROOT / folder
    for path in sorted(top.rglob("*.py")) if top.is_dir() else [top]:
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in errors:
                for text in node.args[:1]:
                    if isinstance(text, ast.Constant) and isinstance(text.value, str):
                        yield f"{path.relative_to(ROOT)}:{node.lineno}", text.value


def test_packages_that_can_import_the_enumeration_use_its_members() -> None:
    assert [found for folder in ABOVE for found in list_codes(folder, {"RuleViolation", "BodyMismatch"})] == []


def test_codes_written_in_primitives_are_members() -> None:
    found = {code for _, code in list_codes("primitives", {"RuleViolation", "CodecError"})}
    assert found == {"too-large", "malformed", "not-canonical"}
    assert found <= set(Code)


def test_codes_of_certificates_are_members() -> None:
    found = {code for _, code in list_codes("work", {"RuleViolation", "InvalidCertificate"})}
    assert found == {"depth-mismatch", "above-target", "digest-mismatch", "index-outside-matrix"}
    assert found - HIDDEN <= set(Code)
    assert {code for _, code in list_codes("work/matrices.py", {"InvalidMatrix"})} >= STRIP_CODES - {
        "bad-shape",
        "entry-out-of-range",
    }
    for code in STRIP_CODES:
        of_x = f"bad-x-{code[4:]}" if code.startswith("bad-") else f"x-{code}"
        assert of_x in HIDDEN or {of_x, of_x.replace("x-", "w-", 1)} <= set(Code), code


def test_codes_of_challenges_are_members() -> None:
    found = {code for _, code in list_codes("work/fraud.py", {"InvalidMatrix"})}
    assert found == {"index-outside-matrix", "bad-strip-size", "bad-path-length", "bad-path"}
    assert found <= set(Code)


def test_an_error_has_its_code_as_plain_text() -> None:
    assert type(RuleViolation(Code.BAD_NONCE, "a nonce").code) is str
    assert RuleViolation(Code.BAD_NONCE, "a nonce").code == "bad-nonce"
