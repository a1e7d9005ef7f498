"""Draw `docs/img/imports.svg`, the packages and what they import, from the code itself.

Rows are those of the layers contract in pyproject.toml. An arrow means that modules of the lower package import modules
of the upper one. An arrow is left out if a longer path of arrows says the same, so the picture stays readable.

Run it as `make imports`; a test fails while the picture is not current.
"""

import sys
import tomllib
from pathlib import Path
from typing import Final
from xml.sax.saxutils import escape

import grimp

ROOT: Final = Path(__file__).parents[1]
PICTURE: Final = ROOT / "docs" / "img" / "imports.svg"
PURPOSES: Final = {
    "primitives": "types, codec, hashes, signatures",
    "work": "matrices and certificates",
    "functions": "WebAssembly commands",
    "consensus": "all rules, as pure functions",
    "programs": "language and interpreters",
    "chain": "database, state, mempool",
    "genesis": "networks as data",
    "wallet": "keys and addresses",
    "mesh": "matrices on disk",
    "core": "what every node runs",
    "network": "peers, sync, relay",
    "miner": "templates and mining",
    "agents": "watcher, voter, reporter",
    "workers": "pages, cards, machines, pool",
    "rpc": "JSON-RPC and explorer",
    "node": "settings, start and stop",
    "light": "the light client",
    "inos": "client, command line, devnet, benchmarks",
}
"""The words in each box."""
TABLES: Final = {"hints"}
"""Modules of text that every row may import; the picture leaves them out."""
BOX_WIDTH: Final = 190
BOX_HEIGHT: Final = 46
GAP_X: Final = 30
GAP_Y: Final = 50
MARGIN: Final = 20

Edges = set[tuple[str, str]]


def read_rows() -> list[list[str]]:
    """Return the rows of packages, lowest level first; the last row is `inos`, what people type and import."""
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["importlinter"][
        "contracts"
    ]
    layers = next(each["layers"] for each in contracts if each["type"] == "layers")
    rows = [[name.strip() for name in layer.replace(":", "|").split("|")] for layer in layers]
    packages = [[name for name in row if (ROOT / "inos" / name).is_symlink()] for row in rows]
    return [*reversed([row for row in packages if row]), ["inos"]]


def find_edges(rows: list[list[str]]) -> Edges:
    """Return (importer, imported) for all packages, without those that follow from a longer path."""
    packages = {name for row in rows for name in row}

    def get_package(module: str) -> str:
        name = module.split(".")[1] if "." in module else "inos"
        return name if name in packages or name in TABLES else "inos"

    graph = grimp.build_graph("inos", cache_dir=None)
    edges = {
        (get_package(importer), get_package(imported))
        for importer in graph.modules
        for imported in graph.find_modules_directly_imported_by(importer)
    }
    edges = {(importer, imported) for importer, imported in edges if importer != imported}
    edges = {edge for edge in edges if not TABLES.intersection(edge)}
    reached: dict[str, set[str]] = {}
    for name in (name for row in rows for name in row):  # lower levels first, so that what they reach is known
        direct = {imported for importer, imported in edges if importer == name}
        reached[name] = direct.union(*(reached[each] for each in direct))
    return {
        (importer, imported)
        for importer, imported in edges
        if not any((importer, middle) in edges and imported in reached[middle] for middle in reached)
    }


def draw(rows: list[list[str]], edges: Edges) -> str:
    """Return the picture as SVG."""
    width = max(len(row) for row in rows) * (BOX_WIDTH + GAP_X) - GAP_X + 2 * MARGIN
    height = len(rows) * (BOX_HEIGHT + GAP_Y) - GAP_Y + 2 * MARGIN
    places = _place_boxes(rows, width)
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" font-family="sans-serif">',
        "<title>Packages of INOS and what they import</title>",
        '<defs><marker id="head" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" markerHeight="7" orient="auto">'
        '<path d="M0 0 8 4 0 8z" fill="#5a6b7b"/></marker></defs>',
        f'<rect width="{width}" height="{height}" fill="#ffffff"/>',
        *(_draw_edge(places, importer, imported) for importer, imported in sorted(edges)),
        *(_draw_box(name, *places[name]) for row in rows for name in row),
        "</svg>",
    ]
    return "\n".join(parts) + "\n"


def _place_boxes(rows: list[list[str]], width: int) -> dict[str, tuple[int, int]]:
    """Return the left upper corner of each box; every row is centred."""
    places = {}
    for number, row in enumerate(rows):
        left = (width - len(row) * (BOX_WIDTH + GAP_X) + GAP_X) // 2
        for column, name in enumerate(row):
            places[name] = (left + column * (BOX_WIDTH + GAP_X), MARGIN + number * (BOX_HEIGHT + GAP_Y))
    return places


def _draw_edge(places: dict[str, tuple[int, int]], importer: str, imported: str) -> str:
    (left, top), (left_above, top_above) = places[importer], places[imported]
    x, y = left + BOX_WIDTH // 2, top
    x_above, y_above = left_above + BOX_WIDTH // 2, top_above + BOX_HEIGHT
    bend = GAP_Y * 2 // 3
    path = f"M{x} {y}C{x} {y - bend} {x_above} {y_above + bend} {x_above} {y_above + 1}"
    return f'<path d="{path}" fill="none" stroke="#5a6b7b" stroke-width="1.4" marker-end="url(#head)"/>'


def _draw_box(name: str, left: int, top: int) -> str:
    middle, anchor = left + BOX_WIDTH // 2, 'text-anchor="middle"'
    return (
        f'<rect x="{left}" y="{top}" width="{BOX_WIDTH}" height="{BOX_HEIGHT}" rx="6" fill="#eef4fa" stroke="#35526e"/>'
        f'<text x="{middle}" y="{top + 19}" {anchor} font-size="14" font-weight="bold">{escape(name)}/</text>'
        f'<text x="{middle}" y="{top + 36}" {anchor} font-size="11">{escape(PURPOSES[name])}</text>'
    )


def make_picture() -> str:
    """Return the SVG that belongs to the code as it is now."""
    rows = read_rows()
    return draw(rows, find_edges(rows))


if __name__ == "__main__":
    picture = make_picture()
    PICTURE.write_text(picture, encoding="utf-8")
    print(f"{PICTURE.relative_to(ROOT)}: {picture.count('<path d=') - 1} arrows", file=sys.stderr)
