"""`inos evolve show` and `replay`: what lineages look like, and whether they are right."""

from typing import Annotated

import typer

from inos.cli.common.options import JsonOption
from inos.cli.common.output import EXIT_FAILED, fail, print_json, print_text
from inos.cli.evolve.sources import MeshOption, NeighbourOption, Source, SourceArgument, open_source
from inos.evolve.drawing import describe_record, draw_fitness, draw_tree
from inos.evolve.market import ChainTasks
from inos.evolve.records import MAX_RUN_BYTES, decode_run
from inos.evolve.replay import Lineage, Replayer, State, read_lineage


def show(
    source: SourceArgument, neighbours: NeighbourOption = None, rpc: MeshOption = None, json_: JsonOption = False
) -> None:
    """Draw the fitness over generations and the family tree of islands."""
    with open_source(source, rpc, neighbours) as opened:
        head, lineage = _read(opened)
        records = lineage.records
        own = [each for each in records.values() if each.seed == records[head].seed] if head in records else []
        title = decode_run(opened.files.get(own[0].run, MAX_RUN_BYTES, "the run")).title if own else ""
    if json_:
        print_json(
            {
                "head": head.hex(),
                "title": title,
                "run": own[0].run.hex() if own else None,
                "records": [describe_record(id, record) for id, record in records.items()],
                "missing": [each.hex() for each in lineage.missing],
            }
        )
        return
    print_text(f"{title}: head {head.hex()}")
    for line in (*draw_fitness([each.fitness for each in own]), "", *draw_tree(lineage, head)):
        print_text(line)


def replay(
    source: SourceArgument,
    generation: Annotated[
        int | None,
        typer.Option("--generation", "-g", min=0, metavar="N", help="Compute only this generation. Default: all."),
    ] = None,
    own: Annotated[
        bool, typer.Option("--own", help="Leave out the islands that this one has taken genomes of.")
    ] = False,
    neighbours: NeighbourOption = None,
    rpc: MeshOption = None,
    json_: JsonOption = False,
) -> None:
    """Compute generations again, and say which record is right, false, or cannot be checked yet.

    Exit code 0 only if all are right. With --rpc, records that name a task are compared with it.
    """
    verdicts = []
    with open_source(source, rpc, neighbours) as opened:
        head, lineage = _read(opened, with_cited=not own)
        if generation is not None:
            lineage = _choose(lineage, head, generation)
        replayer = Replayer(opened.files, chain=None if opened.client is None else ChainTasks(opened.client))
        for id, verdict in replayer.check_all(lineage):
            record = lineage.records.get(id)
            number = None if record is None else record.number
            verdicts.append({"id": id.hex(), "number": number, "state": str(verdict.state), "reason": verdict.reason})
            if not json_:
                name = "        -" if number is None else f"{number:>9}"
                print_text(f"{name}  {id.hex()[:16]}  {verdict.state:<9}  {verdict.reason}".rstrip(), flush=True)
    if json_:
        print_json({"head": head.hex(), "records": verdicts})
    if any(each["state"] != State.RIGHT for each in verdicts):
        raise typer.Exit(EXIT_FAILED)


def _read(source: Source, *, with_cited: bool = True) -> tuple[bytes, Lineage]:
    if source.head is None:
        fail("no-record", "this island has computed no generation yet", "inos evolve run computes some")
    return source.head, read_lineage(source.files, [source.head], with_cited=with_cited)


def _choose(lineage: Lineage, head: bytes, number: int) -> Lineage:
    """Return the lineage without all records but the one of a generation of the head's island."""
    at: bytes | None = head
    while at is not None and at in lineage.records:
        if lineage.records[at].number == number:
            return Lineage({at: lineage.records[at]}, (), {})
        at = lineage.records[at].parent
    fail("no-record", f"the lineage has no generation {number} at hand", "inos evolve show lists what is there")
