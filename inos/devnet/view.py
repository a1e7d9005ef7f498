"""The devnet's live terminal view."""

from rich import box
from rich.console import Group
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from inos.devnet.monitor import DevnetFigures, NodeFigures
from inos.devnet.workload import WorkloadProgress
from inos.primitives.units import NANO_PER_CREDIT, format_credits
from inos.widths import ByWidth

LEGEND = (
    "ticket: a draw in the mining lottery, 16 x 16 x 1024 multiply-adds · final: never undone · "
    "reputation: credits that settled jobs burned · filler: mining while no job is open"
)


def render(figures: DevnetFigures, progress: WorkloadProgress, seconds: float, customer_balance: str | None) -> Group:
    """Draw one frame: the chain, the nodes, the work and its customer."""
    return Group(
        _render_chain(figures, seconds),
        _render_nodes(figures),
        _render_addresses(figures),
        _render_work(progress, customer_balance),
        Text(LEGEND, style="dim"),
    )


def _render_chain(figures: DevnetFigures, seconds: float) -> Panel:
    chain = figures.chain
    minutes, rest = divmod(int(seconds), 60)
    text = Text.assemble(
        ("height ", "dim"),
        (f"{chain.height}", "bold"),
        ("   final ", "dim"),
        (f"{chain.final_height}", "bold green"),
        ("   difficulty ", "dim"),
        (f"{chain.difficulty} tickets", "bold"),
        ("   paid share ", "dim"),
        (f"{chain.paid_share:.1%}", "bold green"),
        ("   burned of the subsidy ", "dim"),
        (f"{chain.burned_share:.1%}", "bold"),
        ("   per 10^12 multiply-adds ", "dim"),
        (f"{format_credits(int(chain.price_per_tera))} credits", "bold"),
        ("   running ", "dim"),
        (f"{minutes}:{rest:02d}", "bold"),
    )
    return Panel(text, title="INOS devnet", subtitle="Ctrl-C stops everything", border_style="cyan")


def _render_nodes(figures: DevnetFigures) -> ByWidth:
    """Draw the nodes; the RPC addresses, which are long, stand below them."""
    return ByWidth(_render_wide(figures), _render_narrow(figures))


def _render_narrow(figures: DevnetFigures) -> Table:
    """Draw a table that fits 40 columns."""
    table = Table(expand=True, border_style="dim", box=box.SIMPLE_HEAD, padding=0)
    table.add_column("node", no_wrap=True)
    for name in ("height", "won"):
        table.add_column(name, justify="right", no_wrap=True)
    table.add_column("doing")
    for node in figures.nodes:
        cells = _node_cells(node)
        table.add_row(cells[0], cells[1], cells[3], cells[-1])
    return table


def _render_wide(figures: DevnetFigures) -> Table:
    """Draw a table that fits 80 columns."""
    table = Table(expand=True, border_style="dim", box=box.SIMPLE_HEAD, padding=0)
    table.add_column("node", no_wrap=True)
    for name in ("height", "peers", "blocks\nwon", "tickets\nper s", "reputation", "credits"):
        table.add_column(name, justify="right")
    table.add_column("doing", min_width=7)
    for node in figures.nodes:
        table.add_row(*_node_cells(node))
    return table


def _render_addresses(figures: DevnetFigures) -> Text:
    return Text("RPC  " + "\n     ".join(f"{node.rpc}  {node.name}" for node in figures.nodes), style="dim")


def _node_cells(node: NodeFigures) -> list[str]:
    if node.error:
        return [node.name, *["-"] * 6, f"[red]{node.error}[/red]"]
    cells = [node.name, str(node.height), str(node.peers)]
    if node.role == "follows":
        return [*cells, *["-"] * 4, "follows"]
    return [
        *cells,
        str(node.blocks_won),
        f"{node.tickets_per_second:.0f}",
        f"{int(node.reputation) / NANO_PER_CREDIT:,.2f}",
        f"{int(node.balance) / NANO_PER_CREDIT:,.2f}",
        node.work,
    ]


def _render_work(progress: WorkloadProgress, customer_balance: str | None) -> Panel:
    text = Text.assemble(
        ("jobs settled ", "dim"),
        (f"{progress.jobs_settled} of {progress.jobs_posted} posted", "bold"),
        ("   of them programs ", "dim"),
        (f"{progress.programs_answered} of {progress.programs_posted} answered", "bold"),
        ("   images ", "dim"),
        (f"{progress.images}", "bold"),
        ("   accuracy through the chain ", "dim"),
        (_percent(progress.accuracy), "bold green"),
        ("   the same network run locally ", "dim"),
        (_percent(progress.local_accuracy), "bold"),
        ("   customer's credits ", "dim"),
        (_credits(customer_balance), "bold"),
    )
    return Panel(text, title=describe_batches(progress), border_style="green")


def describe_batches(progress: WorkloadProgress) -> str:
    """Return the way in which batches of images are posted now."""
    if progress.is_jury_missing:
        return "handwritten digits: products of layers, as no jury can judge programs yet"
    return "handwritten digits: one program a batch"


def _credits(nano: str | None) -> str:
    return "-" if nano is None else format_credits(int(nano))


def _percent(share: float | None) -> str:
    return "-" if share is None else f"{share:.2%}"


def render_line(
    figures: DevnetFigures, progress: WorkloadProgress, seconds: float, customer_balance: str | None
) -> str:
    """Return the same figures in one line, for output without a terminal."""
    chain = figures.chain
    return (
        f"{seconds:6.1f} s  height {chain.height}  final {chain.final_height}  "
        f"jobs {progress.jobs_settled}/{progress.jobs_posted}  "
        f"programs {progress.programs_answered}/{progress.programs_posted}  accuracy {_percent(progress.accuracy)}  "
        f"paid share {chain.paid_share:.1%}  customer {_credits(customer_balance)} credits"
    )
