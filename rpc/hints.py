"""What to do about an error, by its code, where the error itself does not say."""

from typing import Final

from inos.rpc.rule_hints import RULE_HINTS

HINTS: Final[dict[str, str]] = {
    **RULE_HINTS,
    "account-limit": "wait until some of them are in a block",
    "address-unusable": "give an address of this machine; 127.0.0.1 is always one",
    "already-known": "nothing to do: it waits to be mined",
    "answer-too-large": "ask for less at once",
    "awaiting-state": "wait until the node has the state it is fetching",
    "claim-missing": "claim the job first",
    "delivery-missing": "wait until the result is on the chain",
    "forbidden-origin": "open the explorer of this node itself, or call without a browser",
    "internal-error": "the node's log has the details; please report it",
    "invalid-params": "rpc.discover describes every method's parameters",
    "invalid-request": 'write it as {"jsonrpc": "2.0", "id": 1, "method": "chain_head", "params": {}}',
    "job-closed": "job_get shows how it ended",
    "matrix-kept": "unpin it, or wait until the chain does not need it any more",
    "parse-error": 'send one JSON document, such as {"jsonrpc": "2.0", "id": 1, "method": "chain_head"}',
    "timeout": "ask again, for less at once",
    "token-unreadable": "see that the data directory is the node's own and may be written",
    "unauthorized": "send the text in <data-dir>/rpc.token as a bearer token",
    "wrong-matrix": "send the rows again, with the id they have",
}
