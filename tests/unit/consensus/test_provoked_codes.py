"""Every rule's code is provoked by a block, a transaction or a proof, and every code tells a user what to do next."""

import pytest

from inos.consensus.codes import Code
from inos.hints import HINTS
from inos.primitives.errors import NotYet, RuleViolation
from support.provoked import PROVOKE


@pytest.mark.parametrize("code", Code)
def test_the_rule_is_broken_by_what_is_registered_for_it(code: Code) -> None:
    assert code in PROVOKE, f"nothing in tests/support/provoked provokes {code}"
    with pytest.raises((RuleViolation, NotYet)) as caught:
        PROVOKE[code]()
    assert caught.value.code == code


@pytest.mark.parametrize("code", Code)
def test_a_user_is_told_the_next_step(code: Code) -> None:
    """Answers of a node and the CLI show the hint of an error's code."""
    assert HINTS.get(code), f"inos/hints.py does not say what to do about {code}"
