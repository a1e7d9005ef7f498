"""What a worker reports: every share once, wins at once and one of each template, counts every few seconds."""

from inos.workers.client.report import RESULT_S, SHARES_S, Reporter
from inos.workers.messages import MAX_SHARES, Message, Result, Share

SHARE_TARGET, WIN_TARGET = 2**200, 2**100


def make_share(digest: int, i: int = 0) -> Share:
    return Share(2**63, i, 0, 0, digest.to_bytes(32, "big"))


def make_reporter() -> tuple[Reporter, list[Result]]:
    sent: list[Result] = []

    def send(message: Message) -> None:
        assert isinstance(message, Result)
        sent.append(message)

    return Reporter(send), sent


def add(reporter: Reporter, now: float, *found: Share, template: int = 1, assignment: int = 1) -> None:
    reporter.add(assignment, template, 10, found, (SHARE_TARGET, WIN_TARGET), now)


def test_tickets_without_shares_are_told_every_few_seconds() -> None:
    reporter, sent = make_reporter()
    add(reporter, 100.0)
    add(reporter, 100.0 + RESULT_S - 0.1)
    add(reporter, 100.0 + RESULT_S)
    assert [(result.drawn, result.shares) for result in sent] == [(10, ()), (20, ())]


def test_shares_are_told_together_and_a_win_at_once() -> None:
    reporter, sent = make_reporter()
    add(reporter, 100.0, make_share(5 * WIN_TARGET))
    add(reporter, 100.0 + SHARES_S / 2, make_share(6 * WIN_TARGET))
    add(reporter, 100.0 + SHARES_S / 2, make_share(WIN_TARGET))
    assert [len(result.shares) for result in sent] == [1, 2]


def test_one_win_of_a_template_is_told_if_it_is_no_share() -> None:
    reporter, sent = make_reporter()
    for template in (1, 1, 2):
        reporter.add(1, template, 10, [make_share(SHARE_TARGET + 1)], (SHARE_TARGET, 2 * SHARE_TARGET), 100.0)
    reporter.flush(100.0)
    assert [(result.template, len(result.shares)) for result in sent] == [(1, 1), (1, 0), (2, 1)]


def test_another_template_or_assignment_begins_another_result() -> None:
    reporter, sent = make_reporter()
    for place in ((1, 1), (1, 2), (2, 2)):
        reporter.add(place[0], place[1], 10, [make_share(2 * WIN_TARGET)], (SHARE_TARGET, WIN_TARGET), 0.1)
    reporter.flush(0.2, is_last=True)
    assert [(result.assignment, result.template, result.is_last) for result in sent] == [
        (1, 1, False),
        (1, 2, False),
        (2, 2, True),
    ]


def test_many_shares_are_cut_and_their_tickets_counted_once() -> None:
    reporter, sent = make_reporter()
    add(reporter, 100.0, *(make_share(2 * WIN_TARGET, i) for i in range(2 * MAX_SHARES + 1)))
    assert [len(result.shares) for result in sent] == [MAX_SHARES, MAX_SHARES, 1]
    assert [result.drawn for result in sent] == [0, 0, 10]
    assert reporter.told == 2 * MAX_SHARES + 1


def test_nothing_is_told_of_nothing() -> None:
    reporter, sent = make_reporter()
    reporter.flush(1.0, is_last=True)
    assert sent == []
