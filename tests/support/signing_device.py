"""A signing process for tests, as docs/wallet.md describes it: it keeps a key in a file, and signs what it is shown.

    python signing_device.py KEY_FILE

The file holds the secret in hex; a word before it makes the process refuse, lie or crash.
"""

import json
import sys
from pathlib import Path

from coincurve import PrivateKey, PublicKeyXOnly


def main() -> None:
    question = json.loads(sys.stdin.readline())
    *behaviour, digits = Path(sys.argv[1]).read_text().split()
    secret = bytes.fromhex(digits)
    if question["method"] == "key":
        answer = {"key": PublicKeyXOnly.from_secret(secret).format().hex()}
    elif behaviour == ["refuse"]:
        answer = {"error": "the button for no was pressed"}
    elif behaviour == ["crash"]:
        sys.exit("the device is not plugged in")
    else:
        digest = bytes(32) if behaviour == ["lie"] else bytes.fromhex(question["digest"])
        answer = {"signature": PrivateKey(secret).sign_schnorr(digest, bytes(32)).hex()}
    print(json.dumps(answer))


if __name__ == "__main__":
    main()
