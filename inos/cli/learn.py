"""`inos learn`: runs of training in folders, as `inos.learn.train` makes them. None of this needs torch."""

import sys
from math import prod
from pathlib import Path
from typing import Annotated

import typer

from inos.cli.common.ids import find_id
from inos.cli.common.options import DEFAULT_RPC, JsonOption, RpcOption
from inos.cli.common.output import print_json, print_progress, print_text
from inos.client.blocking_client import BlockingClient
from inos.learn.curve import Progress, draw_curve
from inos.learn.machines import load_machine
from inos.learn.publishing import fetch_run, publish_run
from inos.learn.run import load_run
from inos.learn.training import CHECKPOINT_STEPS, train_run
from inos.learn.verify import verify_run

app = typer.Typer(no_args_is_help=True, add_completion=False)
RunArgument = Annotated[Path, typer.Argument(metavar="RUN", help="The folder of a run.")]


@app.callback()
def _learn() -> None:
    """Show, replay and go on with training whose every step is verified."""


@app.command()
def show(folder: RunArgument, json_: JsonOption = False) -> None:
    """Show a run: its steps, its loss curve, what a step costs, and the id that stands for all of it."""
    run = load_run(folder)
    spec, losses = run.spec, run.list_losses()
    programs = [load_machine(run.folder, name).checked.cost for name in (spec.gradient, spec.update)]
    units = spec.shards * programs[0].units + programs[1].units
    tickets = spec.shards * programs[0].tickets + programs[1].tickets
    if json_:
        print_json(
            {
                "id": run.id, "head": run.head, "steps": spec.steps, "done": len(run.records), "loss": spec.loss,
                "optimiser": spec.optimiser.name, "shards": spec.shards, "examples": spec.examples,
                "seed": str(spec.seed), "units": units, "tickets": tickets, "losses": losses,
                "parameters": sum([prod(each.sizes) for each in spec.parameters]),
            }
        )  # fmt: skip
        return
    print_text(f"run        {run.id}")
    print_text(f"last step  {len(run.records)} of {spec.steps}, record {run.head}")
    print_text(f"module     {sum([prod(each.sizes) for each in spec.parameters])} weights, {spec.loss}")
    print_text(f"a step     {spec.shards} x {spec.examples} examples by {spec.optimiser.name}: {units} units, "
               f"of which {tickets} are tickets")  # fmt: skip
    print_text(draw_curve(losses))


@app.command()
def verify(
    folder: RunArgument,
    first: Annotated[int, typer.Option("--first", metavar="STEP", help="The first step to compute again.")] = 1,
    last: Annotated[int | None, typer.Option("--last", metavar="STEP", help="The last one. Default: all.")] = None,
    head: Annotated[str, typer.Option("--head", metavar="ID", help="The id that the last record must have.")] = "",
    json_: JsonOption = False,
) -> None:
    """Compute steps again from the one before, and compare everything that their records say."""
    run = load_run(folder)
    found = verify_run(run, first, last, head=head, on_step=_ignore if json_ else _print_verified)
    if json_:
        print_json({"first": found.first, "last": found.last, "begins_at": found.begins_at, "head": found.head})
        return
    begin = "the first weights" if not found.begins_at else f"the checkpoint of step {found.begins_at}"
    print_text(f"steps {found.first} to {found.last} are right, computed again from {begin}\nrecord {found.head}")


@app.command()
def resume(
    folder: RunArgument,
    checkpoint_every: Annotated[
        int, typer.Option("--checkpoint-every", metavar="STEPS", min=1, help="Keep weights after so many steps.")
    ] = CHECKPOINT_STEPS,
) -> None:
    """Go on with a run that was interrupted, on this machine."""
    run = load_run(folder)
    train_run(run, checkpoint_every=checkpoint_every, on_step=Progress(run.spec.steps, sys.stderr))
    print_text(f"{len(run.records)} of {run.spec.steps} steps, record {run.head}")


@app.command()
def publish(folder: RunArgument, rpc: RpcOption = DEFAULT_RPC) -> None:
    """Put a run into the mesh, with all that verification needs; print the id by which others fetch it."""
    run = load_run(folder)
    with BlockingClient(rpc) as client:
        name = publish_run(run, client)
    print_text(f"{name}\nfetch it: inos learn fetch {name} FOLDER")


@app.command()
def fetch(
    manifest: Annotated[str, typer.Argument(metavar="ID", help="The id that publish printed.")],
    folder: Annotated[Path, typer.Argument(metavar="FOLDER", help="A folder that does not exist yet.")],
    rpc: RpcOption = DEFAULT_RPC,
) -> None:
    """Fetch a run from the mesh into a folder, without computing it again: `inos learn verify` does that."""
    with BlockingClient(rpc) as client:
        run = fetch_run(find_id(rpc, manifest, "matrix"), folder, client)
    print_text(
        f"{len(run.records)} of {run.spec.steps} steps, record {run.head}\nverify it: inos learn verify {folder}"
    )


def _print_verified(step: int, last: int) -> None:
    if step % max(1, last // 20) == 0 or step == last:
        print_progress(f"step {step} of {last} is right")


def _ignore(step: int, last: int) -> None:
    """Print nothing: the answer is JSON."""
