"""``nbdag plan`` for people: every fact in the table, the reasons in words, and a page that needs no network."""

from __future__ import annotations

import io
import re
from dataclasses import replace
from html.parser import HTMLParser
from math import inf

import pytest

from nbdag.model.graph import Reluctance
from nbdag.model.plan import Action, Decision, Explanation, Obstacle, Plan, Replay
from nbdag.model.results import Planned
from nbdag.report.explained import MOST_STATEMENTS, say_names, say_obstacle, words_of
from nbdag.report.plan import print_plan, say_cost, say_totals
from nbdag.report.plan_page import plan_as_html
from nbdag.report.tables import Page
from tests.report.samples import PLANNED


def printed(planned: Planned) -> list[str]:
    stream = io.StringIO()
    print_plan(planned, Page(stream))
    return stream.getvalue().splitlines()


def squeezed(lines: list[str]) -> list[str]:
    return [" ".join(line.split()) for line in lines]


def test_every_fact_of_a_plan_is_there() -> None:
    lines = squeezed(printed(PLANNED))
    assert lines[:2] == [
        "wine [red].ipynb: plan for 5 of 6 variables",
        "objective migrate, destination 50.0 MB/s (measured in /data), at most 2.0 GB of values",
    ]
    assert (
        "gen generator lost no no cannot be stored: at gen.lock, a lock belongs to its process; "
        "cannot be replayed: cell 3, line 2 uses the network (requests.get)" in lines
    )
    assert (
        "df, part pandas.DataFrame, list[int] stored 3.1 MB 124 ms 75 s "
        "cell 2, line 1 reads wine.csv, which the target may lack" in lines
    )
    assert "replayed from source in any case: np, pd" in lines
    assert "2 stored (3.1 MB), 2 replayed (1 statement, 100 ms), 1 lost" in lines
    assert "this plan 200 ms 3.1 MB 1 100 ms loses gen" in lines
    assert "warning: cell 2: nbdag-x is no tag <b> [unknown-tag]" in lines


def test_by_size_no_cost_is_said_that_is_none() -> None:
    lines = squeezed(printed(replace(PLANNED, objective="size")))
    assert "this plan 3.1 MB 1 100 ms loses gen" in lines
    assert not any("124 ms" in line for line in lines)


def test_what_was_asked_for_is_explained_and_nothing_else() -> None:
    lines = printed(replace(PLANNED, asked=("df", "gen")))
    assert lines == [
        "df: stored (pandas.DataFrame)",
        "    It shares state with part: they are stored together or replayed together, 3.1 MB in all.",
        "    Storing them takes 124 ms, writing and loading at 50.0 MB/s.",
        "    Replaying them takes 75 s, 2 statements, beyond 2 definitions that run in any case:",
        '        cell 2, line 1  df = pd.read_csv("[bold]wine[/bold].csv") ...',
        "        cell 3, line 1  part = df['[/]'] < 3 & df['<b>']",
        "    1 of them is replayed anyway, for other variables.",
        "    It depends on files: cell 2, line 1 reads wine.csv, which the target may lack; "
        "not to depend on that is worth 30 s.",
        "    The cheaper way was taken: the other one would make the whole plan 105 s dearer.",
        "    What would change it: a destination slower than 60.0 kB/s; or --replay df "
        "(or the tag nbdag-recompute on its cell).",
        "",
        "gen: lost (generator)",
        "    It cannot be stored: at gen.lock, a lock belongs to its process.",
        "    It cannot be replayed: cell 3, line 2 uses the network (requests.get). "
        "These would have to run (1 statement):",
        "        cell 3, line 1  part = df['[/]'] < 3 & df['<b>']",
        "    It might come out different: cell 3, line 4 depends on the moment it runs (time.time).",
        "    Neither way is open, so it stays behind.",
        "    What would change it: a form of it that can be stored (its data instead of the handle); "
        "other code at cell 3, line 2; or doing without it: --exclude gen.",
    ]


def test_where_there_is_no_room_that_is_the_reason() -> None:
    tight = replace(PLANNED, max_bytes=1_000_000)
    assert any(line.startswith("store everything") and "is too large" in line for line in printed(tight))
    decision = Decision(("x",), Action.REPLAY, "replaying takes 9 s", 1.0, 9.0, 2_000_000)
    run = Replay(7, "cell 1", 1, "x = f()", ("x",), 9.0)
    explanation = Explanation("x", decision, statements=(run,), replay_seconds=9.0)
    tight = replace(tight, plan=replace(tight.plan, decisions=(decision,)), explanations=(explanation,))
    assert any(line.startswith("x ") and line.endswith("no room to store it (--max-size)") for line in printed(tight))
    lines = printed(replace(tight, asked=("x",)))
    assert "    Storing it would be cheaper, but 1.0 MB (--max-size) are no room for it." in lines
    assert "a larger --max-size" in lines[-1]


# ------------------------------------------------------------------------------------------------ words

LOCK = Obstacle("x: a lock belongs to its process")
CLOCK = Obstacle("it depends on the moment it runs (time.time)", "cell 1, line 1", Reluctance.LAST_RESORT)
INPUT = Obstacle("it asks the user (input)", "cell 1, line 1")
RUN = Replay(1, "cell 1", 1, "x = f()", ("x",), 2.0)


def explained(action: Action, store: float = 1.0, replay: float = 2.0, **more: object) -> str:
    decision = Decision(("x",), action, "", store, replay, 1000)
    explanation = Explanation("x", decision, statements=(RUN,), replay_seconds=2.0, plan_cost=1.0, **more)  # type: ignore
    return " ".join(words_of(explanation, PLANNED).sentences)


def test_the_only_way_is_called_that() -> None:
    text = explained(Action.REPLAY, inf, against_storing=(LOCK,))
    assert "It cannot be stored: a lock belongs to its process." in text
    assert "Replaying is the only way." in text and "--store" not in text
    text = explained(Action.STORE, against_replaying=(INPUT,))
    assert "It cannot be replayed: cell 1, line 1 asks the user (input)." in text
    assert "Storing is the only way." in text and "--replay" not in text


def test_a_doubtful_replay_says_what_may_come_out_different() -> None:
    text = explained(Action.REPLAY, inf, against_storing=(LOCK,), against_replaying=(CLOCK,))
    assert "It might come out different: cell 1, line 1 depends on the moment it runs (time.time)." in text
    assert "Replaying is the only way, so it is taken all the same." in text
    assert "What can be stored is not left to such a replay." in explained(Action.STORE, against_replaying=(CLOCK,))


def test_a_wish_is_named_with_its_price() -> None:
    text = explained(Action.STORE, wish="--store x", other_way=0.4)
    assert "--store x asks for that, which makes the plan 600 ms dearer than it need be." in text
    assert "What would change it: leaving --store x out." in text
    text = explained(Action.REPLAY, wish="the tag nbdag-recompute", other_way=1.5)
    assert "The tag nbdag-recompute asks for that: the other one would make the whole plan 500 ms dearer." in text
    assert "taking the tag away" in text


def test_a_wish_that_was_in_vain_is_named() -> None:
    text = explained(Action.STORE, against_replaying=(INPUT,), unmet="the tag nbdag-recompute")
    assert "The tag nbdag-recompute asks for the other way, which is not open. Storing is the only way." in text


def test_a_matter_of_cost_says_what_would_turn_it() -> None:
    text = explained(Action.REPLAY, 3.0, other_way=2.0, turning_point=80e6)
    assert "the other one would make the whole plan 1.0 s dearer" in text
    assert "a destination faster than 80.0 MB/s; or --store x (or the tag nbdag-always-store on its cell)" in text


def test_by_size_no_seconds_are_said_that_are_bytes() -> None:
    decision = Decision(("x",), Action.STORE, "", 1.0, 2.0, 1000)
    explanation = Explanation("x", decision, statements=(RUN,), plan_cost=1.0, other_way=900.0)
    sentences = words_of(explanation, replace(PLANNED, objective="size")).sentences
    assert "Storing it takes 1.0 kB." in sentences
    assert "The cheaper way was taken: --objective size weighs 10 kB like a second of replay." in sentences
    assert not any("min" in sentence for sentence in sentences)


def test_a_long_history_is_shown_by_its_ends() -> None:
    many = tuple(replace(RUN, position=n, line=n) for n in range(100))
    decision = Decision(("x",), Action.STORE, "", 1.0, 2.0, 1000)
    listing = words_of(Explanation("x", decision, statements=many), PLANNED).listing
    assert len(listing) == MOST_STATEMENTS + 1
    assert (listing[0][0], listing[MOST_STATEMENTS // 2][1], listing[-1][0]) == (
        "cell 1, line 0",
        "... and 88 statements between",
        "cell 1, line 99",
    )


@pytest.mark.parametrize(
    ("obstacle", "text"),
    [
        (LOCK, "a lock belongs to its process"),
        (Obstacle("y.fh: a lock belongs to its process"), "at y.fh, a lock belongs to its process"),
        (Obstacle("PicklingError: no"), "PicklingError: no"),
        (CLOCK, "cell 1, line 1 depends on the moment it runs (time.time)"),
        (Obstacle("its cell is tagged nbdag-never-rerun", "cell 4, line 2"), "cell 4 is tagged nbdag-never-rerun"),
        (Obstacle("nothing that was recorded made it"), "nothing that was recorded made it"),
    ],
)
def test_obstacles_in_words(obstacle: Obstacle, text: str) -> None:
    assert say_obstacle(obstacle, ("x", "y")) == text


def test_names_and_costs_in_words() -> None:
    assert [say_names(tuple("abcdefghi"[:n])) for n in (1, 2, 3, 8)] == [
        "a",
        "a and b",
        "a, b and c",
        "a, b, c, d, e and 3 more",
    ]
    assert [say_cost(cost) for cost in (0.25, inf, 3e7 + 0.25)] == ["250 ms", "impossible", "250 ms + 3 not exact"]


# ------------------------------------------------------------------------------------------------ the page


class Elements(HTMLParser):
    """What is in a page: tags, attributes and text."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.links: list[str] = []
        self.text = ""
        self.opened: list[str] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.links += [str(value) for name, value in attributes if name in {"src", "href", "srcset", "data"}]
        if tag not in {"meta", "br", "!doctype"}:
            self.opened.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.opened.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data


def test_the_page_is_whole_and_loads_nothing() -> None:
    page = plan_as_html(PLANNED, "0.1.0")
    found = Elements(page)
    assert found.opened == [] and found.links == [] and "script" not in found.tags
    assert "default-src 'none'" in page and "prefers-color-scheme: dark" in page
    assert "url(" not in page and "@import" not in page and "http" not in page.replace("http-equiv", "")


def test_the_page_says_what_the_table_says_and_takes_nothing_for_markup() -> None:
    found = Elements(plan_as_html(PLANNED, "0.1.0"))
    for text in (
        "plan of wine [red].ipynb",
        "2 stored (3.1 MB), 2 replayed (1 statement, 100 ms), 1 lost",
        "part = df['[/]'] < 3 & df['<b>']",
        "What would change it: a destination slower than 60.0 kB/s",
        "nbdag-x is no tag <b>",
        "Replayed from source in any case: np, pd",
        "250 ms + 2 not exact",
    ):
        assert text in found.text
    assert found.tags.count("details") == 2  # df with part, and gen: definitions have nothing to say
    assert "b" not in found.tags


def test_what_was_asked_for_is_open() -> None:
    assert len(re.findall("<details open>", plan_as_html(replace(PLANNED, asked=("part",)), ""))) == 1


def test_a_page_without_explanations_or_alternatives_is_a_table() -> None:
    found = Elements(plan_as_html(replace(PLANNED, explanations=(), alternatives=()), ""))
    assert "details" not in found.tags and "df, part" in found.text


def test_nothing_replayed_takes_no_time() -> None:
    assert say_totals(Plan((), (), 0.0, 0.0, 0.0)) == "0 stored, 0 replayed, 0 lost"
