"""The OpenRPC document has all methods, resolves all its references, and describes every parameter and field."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft7Validator
from pydantic import ValidationError
from referencing import Registry
from referencing.jsonschema import DRAFT7

from inos.rpc.description.openrpc import make_document, with_discover
from inos.rpc.methods import ALL_METHODS
from rpc_examples import get_shape, record_answers
from support.answers import check_answer

EXPECTED = {
    "node_version", "node_health", "node_stop", "node_snapshot", "node_snapshotStatus",
    "net_peers", "net_status", "net_addresses",
    "net_bans", "net_unban",
    "net_findProviders", "net_provide",
    "finality_status", "finality_committee", "finality_listEpochs", "finality_register", "finality_unbond",
    "finality_withdraw",
    "chain_find",
    "chain_head", "chain_getBlock", "chain_getHeader", "chain_getTransaction", "chain_usefulWork", "chain_getParams",
    "chain_getStats",
    "state_getAccount", "state_getHistory", "state_listAccounts", "state_supply",
    "tx_send", "tx_pool", "tx_estimateFee", "job_get", "job_list", "job_market", "job_quote", "job_quoteTask",
    "job_prove",
    "job_history", "job_trackRecord",
    "light_witnesses", "light_finalityProofs", "light_prove",
    "chain_getRawHeaders", "mesh_put", "mesh_get", "mesh_putRows", "mesh_getRows", "watch_status",
    "mesh_status", "mesh_list", "mesh_pin", "mesh_unpin", "mesh_drop", "mesh_setQuota",
    "chain_getCertificate", "state_getReputationHistory", "subscribe", "unsubscribe", "chain_listBlocks",
    "pool_info", "pool_worker", "pool_window", "pool_payouts",
    "miner_status", "miner_template", "miner_submit", "miner_start", "miner_stop", "miner_workers",
}  # fmt: skip
document = make_document(ALL_METHODS)
methods = {one["name"]: one for one in document["methods"]}


def find_references(value: Any) -> set[str]:
    if isinstance(value, dict):
        own = {value["$ref"]} if isinstance(value.get("$ref"), str) else set()
        return own.union(*(find_references(v) for v in value.values()))
    return set().union(*(find_references(v) for v in value)) if isinstance(value, list) else set()


def resolve(reference: str) -> Any:
    value: Any = document
    for part in reference.removeprefix("#/").split("/"):
        value = value[part]
    return value


def test_every_method_is_described() -> None:
    assert set(methods) == EXPECTED
    assert set(ALL_METHODS) == EXPECTED
    assert re.fullmatch(r"1\.\d+\.\d+", document["openrpc"])
    assert document["info"]["title"]
    assert document["info"]["version"]


def test_an_answer_that_is_not_as_described_is_seen() -> None:
    right = {"first": 1, "limit": 1}
    check_answer("chain_getRawHeaders", {"headers": ["00ff"], "height": 1})
    for wrong in (
        {"headers": ["xyz"], "height": 1},
        {"headers": "00", "height": 1},
        {"headers": []},
        {"headers": [], "height": 1, "more": right},
    ):
        with pytest.raises(AssertionError, match="chain_getRawHeaders"):
            check_answer("chain_getRawHeaders", wrong)


def test_it_is_json_and_its_references_lead_somewhere() -> None:
    assert json.loads(json.dumps(document)) == document
    references = find_references(document)
    assert len(references) > 20
    for reference in references:
        assert isinstance(resolve(reference), dict), reference


@pytest.mark.parametrize("name", sorted(methods))
def test_each_method_has_what_openrpc_asks_for(name: str) -> None:
    described = methods[name]
    assert described["summary"]
    assert described["description"]
    assert described["paramStructure"] == "either"
    assert described["result"]["name"]
    assert described["result"]["schema"]
    names = [param["name"] for param in described["params"]]
    assert len(set(names)) == len(names)
    for param in described["params"]:
        assert param["schema"]
        assert isinstance(param["required"], bool)
    required = [param["required"] for param in described["params"]]
    assert required == sorted(required, reverse=True), "positional calls need the required ones first"
    for example in described["examples"]:
        assert isinstance(example["params"], list)


@pytest.mark.parametrize("name", sorted(EXPECTED))
def test_parameters_are_those_the_method_takes(name: str) -> None:
    method = ALL_METHODS[name]
    assert [param["name"] for param in methods[name]["params"]] == list(method.params.model_fields)
    assert ("x-needs-token" in methods[name]) == method.is_protected
    for example in method.examples:
        method.params.model_validate(example.params)
    with pytest.raises(ValidationError):
        method.params.model_validate({"no_such_parameter": 1})


def test_every_parameter_schema_and_field_is_described() -> None:
    missing = [f"{m['name']}({p['name']})" for m in methods.values() for p in m["params"] if not p.get("description")]
    for name, schema in document["components"]["schemas"].items():
        missing += [] if schema.get("description") else [name]
        missing += [
            f"{name}.{field}" for field, each in schema.get("properties", {}).items() if not each.get("description")
        ]
    assert missing == []


def test_structures_are_named_once_and_never_inline() -> None:
    schemas = document["components"]["schemas"]
    inputs = {method.params.__name__ for method in ALL_METHODS.values()}
    assert [name for name in schemas if "__" in name or name.endswith("Model") or name in inputs] == []
    bodies = [json.dumps(each.get("properties"), sort_keys=True) for each in schemas.values() if each.get("properties")]
    assert len(bodies) == len(set(bodies))
    used = find_references(document)
    assert {f"#/components/schemas/{name}" for name in schemas} <= used
    assert find_structures(document["methods"]) == []


def find_structures(value: Any) -> list[Any]:
    """Return the structures that are written out where they are used."""
    if isinstance(value, dict):
        own = [value] if "properties" in value else []
        return own + [each for v in value.values() for each in find_structures(v)]
    return [each for v in value for each in find_structures(v)] if isinstance(value, list) else []


def test_errors_are_listed_once_with_their_numbers() -> None:
    errors = document["components"]["errors"]
    numbers = [error["code"] for error in errors.values()]
    assert len(set(numbers)) == len(numbers)
    assert {-32700, -32600, -32601, -32602, -32603, -32001} <= set(numbers)
    assert all(-32099 <= n <= -32000 or n in (-32700, -32600, -32601, -32602, -32603) for n in numbers)


def test_it_is_valid_by_the_schema_of_openrpc_documents() -> None:
    folder = Path(__file__).parents[3] / "vectors" / "outside"
    schema, of_schemas = (
        json.loads((folder / f"{name}-meta-schema.json").read_text()) for name in ("openrpc", "json-schema-tools")
    )
    inner = DRAFT7.create_resource(of_schemas)
    registry = Registry().with_resources([(each, inner) for each in (of_schemas["$id"], of_schemas["$id"].rstrip("/"))])
    validator = Draft7Validator(schema, registry=registry)
    found = [f"{e.json_path}: {e.message[:200]}" for e in validator.iter_errors(document)]
    assert found == []


def test_no_schema_has_the_title_that_a_generated_client_gives_a_method() -> None:
    titles = [each["title"].lower() for each in document["components"]["schemas"].values() if "title" in each]
    assert len(titles) == len(set(titles))
    assert not set(titles) & {name.replace("_", "").lower() for name in methods}


def test_each_example_is_a_call_by_position() -> None:
    """OpenRPC says of `paramStructure: either` that values stand in the order of the method's parameters."""
    for name, described in methods.items():
        params = ALL_METHODS[name].params
        for example, given in zip(described["examples"], ALL_METHODS[name].examples, strict=True):
            names = [value["name"] for value in example["params"]]
            assert names == [param["name"] for param in described["params"][: len(names)]], name
            by_position = dict(zip(params.model_fields, (value["value"] for value in example["params"]), strict=False))
            assert params.model_validate(by_position) == params.model_validate(given.params), name


def test_each_example_has_a_result_from_a_chain_that_answers_so_today(answers: dict[str, Any]) -> None:
    shown = {
        name: {example["name"]: example["result"]["value"] for example in described["examples"]}
        for name, described in methods.items()
        if described["examples"]
    }
    assert sum(len(examples) for examples in shown.values()) >= 20
    for name, examples in shown.items():
        for result in (*examples.values(), *answers[name].values()):
            check_answer(name, result)
    assert get_shape(shown) == get_shape(answers), "run: make models"


@pytest.fixture(scope="module")
def answers() -> dict[str, Any]:
    return record_answers()


async def test_discover_serves_it() -> None:
    discover = with_discover(ALL_METHODS)["rpc.discover"]
    node: Any = object()
    served = await discover.call(node, discover.params())
    assert json.loads(served.model_dump_json()) == document
