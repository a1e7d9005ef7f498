"""`inos genesis`: the networks of this program, their parameters, and genesis files for networks of one's own."""

import time
from pathlib import Path
from typing import Annotated

import typer

from inos.cli.common.options import DEFAULT_NETWORK, JsonOption
from inos.cli.common.output import fail, print_json, print_text
from inos.cli.common.speed import compute_fitting_target, measure_tickets_per_second
from inos.genesis import derive_devnet, list_networks, load_network
from inos.genesis.loading import read_genesis
from inos.primitives.units import Address, Nano, Target, TimeMs, parse_credits
from inos.wallet.addresses import decode_address

app = typer.Typer(no_args_is_help=True, add_completion=False)


@app.callback()
def _genesis() -> None:
    """List networks, show one's parameters and genesis id, make a devnet of your own."""


@app.command("list")
def list_presets(json_: JsonOption = False) -> None:
    """List the networks that come with this program."""
    rows = [(name, load_network(name)) for name in list_networks()]
    if json_:
        print_json(
            [{"network": n, "chain_id": net.params.chain_id, "genesis": net.genesis_id.hex()} for n, net in rows]
        )
        return
    for name, net in rows:
        print_text(f"{name:<10} chain {net.params.chain_id:<6} genesis {net.genesis_id.hex()}")


@app.command()
def show(
    network: Annotated[
        str, typer.Argument(metavar="NAME|FILE", help="A preset's name or a genesis file.")
    ] = DEFAULT_NETWORK,
    json_: JsonOption = False,
) -> None:
    """Show a network's genesis id and all its parameters."""
    net, document = load_network(network), read_genesis(network).model_dump()
    if json_:
        print_json({"genesis": net.genesis_id.hex(), **document})
        return
    print_text(f"genesis  {net.genesis_id.hex()}")
    for section in ("network", "params", "allocations"):
        print_text(f"\n{section}")
        for name, value in document[section].items():
            print_text(f"  {name:<28} {value}")


@app.command()
def derive(
    output: Annotated[Path, typer.Argument(metavar="FILE", help="The genesis file to write.")],
    base: Annotated[
        str, typer.Option("--base", metavar="NAME|FILE", help="The network whose parameters are taken over.")
    ] = DEFAULT_NETWORK,
    fund: Annotated[
        list[str] | None,
        typer.Option("--fund", metavar="ADDRESS=CREDITS", help="An account that owns credits at genesis; repeatable."),
    ] = None,
    name: Annotated[str, typer.Option("--name", metavar="NAME", help="The network's name. Default: the base's.")] = "",
    chain_id: Annotated[
        int,
        typer.Option("--chain-id", min=0, metavar="N", help="Its chain id; transactions of another are refused."),
    ] = 0,
    seed: Annotated[
        list[str] | None,
        typer.Option("--seed", metavar="ID@HOST:PORT", help="A node that new nodes ask for addresses; repeatable."),
    ] = None,
    set_: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="NAME=VALUE", help="A parameter with another value than the base's; repeatable."),
    ] = None,
    machines: Annotated[
        int, typer.Option("--machines", min=1, metavar="N", help="How many machines like this one mine at first.")
    ] = 1,
    json_: JsonOption = False,
) -> None:
    """Write a genesis file of your own: the base's parameters, the present time, your accounts.

    The first target is sized by this machine's measured speed, so that blocks come at the network's spacing from the
    start; --set genesis_target=HEX sets another one.
    """
    hrp = load_network(base).hrp
    own = {"name": name, "chain_id": chain_id, "seeds": seed}
    network = {key: value for key, value in own.items() if value}
    params = dict(_read_param(base, item) for item in set_ or [])
    speed = None
    if "genesis_target" not in params:
        speed = machines * measure_tickets_per_second()
        params["genesis_target"] = _make_target(base, params, speed)
    allocations = dict(_read_fund(hrp, item) for item in fund or [])
    text = derive_devnet(base, TimeMs(time.time_ns() // 1_000_000), allocations, params=params, network=network)
    try:
        with output.expanduser().open("x", encoding="utf-8") as file:
            file.write(text)
    except FileExistsError:
        fail(
            "file-exists", f"{output} exists already", "choose another name: a running network needs its file unchanged"
        )
    net = load_network(str(output.expanduser()))
    if json_:
        shown = None if speed is None else round(speed, 1)
        print_json({"file": str(output), "genesis": net.genesis_id.hex(), "tickets_per_s": shown})
        return
    print_text(f"{output}: genesis {net.genesis_id.hex()}")
    spacing_s = net.params.spacing_ms / 1000
    if speed is not None:
        print_text(f"a block every {spacing_s:g} s at {speed:,.0f} tickets/s, the speed of {_count_machines(machines)}")
    hours = net.params.finality_start * spacing_s / 3600
    if hours >= 1:
        start = net.params.finality_start
        print_text(
            f"voters make blocks final from block {start} on, after {hours:.0f} h; --set finality_start=N changes it"
        )


def _make_target(base: str, params: dict[str, int | str], speed: float) -> str:
    """Return the target for a speed in tickets per second, as a genesis file has it."""
    known = read_genesis(base).params.model_dump() | params
    easiest = Target(int(str(known["max_target"]), 16))
    return f"{compute_fitting_target(speed, int(known['spacing_ms']), easiest):064x}"


def _count_machines(number: int) -> str:
    return "this machine" if number == 1 else f"{number} machines like this one"


def _read_fund(hrp: str, item: str) -> tuple[Address, Nano]:
    """Return the address and the amount of a --fund.

    Raises:
        CommandError: "bad-fund", "bad-amount".
    """
    text, separator, amount = item.partition("=")
    if not separator:
        fail("bad-fund", f"--fund {item!r} is not ADDRESS=CREDITS")
    try:
        return decode_address(hrp, text), parse_credits(amount)
    except ValueError as error:
        fail("bad-amount", f"--fund {item}: {error}")


def _read_param(base: str, item: str) -> tuple[str, int | str]:
    """Return the name and the value of a --set, of the type that the base's value has.

    Raises:
        CommandError: "bad-param".
    """
    known = read_genesis(base).params.model_dump()
    name, separator, text = item.partition("=")
    if not separator or name not in known:
        fail("bad-param", f"--set {item!r} is not NAME=VALUE of a parameter", "inos genesis show lists them")
    if isinstance(known[name], str):
        return name, text
    try:
        return name, int(text)
    except ValueError:
        fail("bad-param", f"--set {item}: {name} must be a whole number")
