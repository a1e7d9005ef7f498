"""Networks under attack, at the smallest size that shows it. `make simulate` runs the same at full size."""

import pytest

from simulation.eclipse import run_eclipse, run_poisoning
from simulation.faults import run_single_faults
from simulation.floods import run_header_flood, run_slow_readers
from simulation.heavy import run_forgers
from simulation.lies import run_liars
from simulation.lowwork import run_low_work
from simulation.promises import run_promises
from simulation.selfish import run_selfish
from simulation.skew import run_skew, run_steps
from simulation.spam import run_spam
from simulation.withheld import run_withheld_blocks, run_withheld_matrices

pytestmark = pytest.mark.long


def test_a_third_of_the_peers_lies_about_heights() -> None:
    print(run_liars(1, 15))


def test_forged_chains_that_look_heavy() -> None:
    print(run_forgers(1, 16, 12))


def test_headers_nobody_mined() -> None:
    print(run_header_flood(1, 8, 40))


def test_light_headers_without_end() -> None:
    print(run_low_work(1, 6))


def test_peers_that_read_nothing() -> None:
    print(run_slow_readers(1, 10, 70))


def test_blocks_nobody_gets() -> None:
    print(run_withheld_blocks(1, 14, 70))


def test_results_nobody_can_check() -> None:
    print(run_withheld_matrices(1, 12))


def test_what_is_announced_and_never_given() -> None:
    print(run_promises(1, 4, 24))


def test_spam_at_the_floor_fee() -> None:
    print(run_spam(1, 8, 40))


def test_clocks_that_are_wrong() -> None:
    print(run_skew(1, 14, 20))


def test_clocks_that_are_set_while_their_nodes_run() -> None:
    print(run_steps(1, 5))


def test_selfish_mining() -> None:
    print(run_selfish(1, 10, 120))


def test_an_operator_who_wants_to_be_all_a_node_knows() -> None:
    print(run_eclipse(1, 18, 40, minutes=3))


def test_places_where_nobody_is() -> None:
    print(run_poisoning(1, 14, 8, minutes=2))


def test_blocks_that_break_one_rule_each() -> None:
    print(run_single_faults(1, 4))
