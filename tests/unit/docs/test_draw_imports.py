"""The picture of the packages is drawn from the imports that the code has now."""

import importlib.util

from support.documents import ROOT

SPEC = importlib.util.spec_from_file_location("draw_imports", ROOT / "docs" / "draw_imports.py")
assert SPEC is not None
assert SPEC.loader is not None
draw_imports = importlib.util.module_from_spec(SPEC)
SPEC.loader.exec_module(draw_imports)


def test_picture_is_current() -> None:
    current = draw_imports.PICTURE.read_text(encoding="utf-8") == draw_imports.make_picture()
    assert current, "the packages import each other differently now: run `make imports` and commit the picture"


def test_arrows_point_to_higher_rows_and_none_repeats_a_path() -> None:
    rows = draw_imports.read_rows()
    level = {name: number for number, row in enumerate(rows) for name in row}
    edges = draw_imports.find_edges(rows)
    assert all(level[imported] < level[importer] for importer, imported in edges)
    assert ("work", "primitives") in edges
    assert ("consensus", "primitives") not in edges  # through work
    assert level.keys() == draw_imports.PURPOSES.keys()
