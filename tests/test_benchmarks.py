"""The harness of the benchmarks: who may be timed, in which order, what is written down. No time is asserted."""

from __future__ import annotations

import functools
import json
import re
import sys
from pathlib import Path

import numpy as np
import pytest

import benchmarks.__main__ as program
from benchmarks import dense, harness, peers, report
from benchmarks.harness import Case, Goal, Missing, Side, interleave, run
from benchmarks.work import black_scholes, convnet, hvp, lstm, op_chain, scalars

ROOT = Path(__file__).parents[1]
RIGHT = {"loss": np.array([1.0, 2.0]), "gradient": np.ones((2, 2))}


def side(answer=RIGHT, step=lambda: None):
    return lambda: Side(step, lambda result: answer)


def case(sides, **settings):
    return Case("work", "some work", sides, **settings)


def absent():
    raise Missing("is not installed (make bench PEERS=1)")


@pytest.mark.parametrize(("answer", "why"), [
    (RIGHT | {"gradient": np.ones((2, 2)) * (1 + 1e-8)}, "gradient is off by 1.0e-08 of its norm (limit 1e-09)"),
    (RIGHT | {"gradient": np.ones((1, 4))}, "gradient is (1, 4) and not (2, 2)"),
    (RIGHT | {"loss": RIGHT["loss"].astype(np.float32)}, "loss is float32 and not float64"),
    (RIGHT | {"gradient": np.full((2, 2), np.nan)}, "gradient is off by nan of its norm"),
    ({"loss": RIGHT["loss"]}, "it gives loss and not loss, gradient"),
])
def test_who_disagrees_is_not_timed(answer, why):
    result = run(case({"right": side(), "other": side(answer), "right too": side()}), seconds=0)
    assert [m.name for m in result.measured] == ["right", "right too"]
    assert result.refused["other"].startswith(f"disagrees with right: {why}")


def test_who_fails_or_is_missing_is_named_and_a_yardstick_is_not_compared():
    def fails():
        return 1 / 0
    result = run(case({"absent": absent, "right": side(), "fails": side(step=fails), "broken": lambda: 1 / 0,
                       "yardstick": lambda: Side(lambda: None)}), seconds=0)
    assert [m.name for m in result.measured] == ["right", "yardstick"]
    assert result.missing == {"absent": "is not installed (make bench PEERS=1)"}
    assert result.refused == dict.fromkeys(("broken", "fails"), "fails: ZeroDivisionError: division by zero")
    said = report.text(report.document([result])["results"][0])
    assert "left out: absent is not installed (make bench PEERS=1)" in said
    assert "refused: fails fails: ZeroDivisionError" in said


def test_what_is_compared_is_the_answer_of_the_fourth_step():
    """A compiled step replays from the third on, and the replay is what should be right."""
    steps = []
    made = Side(lambda: steps.append(1) or len(steps), lambda result: {"steps": np.float64(result)})
    assert run(case({"right": side({"steps": np.float64(4)}), "counts": lambda: made}), seconds=0).refused == {}


def test_every_side_has_one_turn_a_round(monkeypatch):
    monkeypatch.setattr(harness, "TURN", 0.0)  # so that a turn is one step
    turns, names = [], ["a", "b", "c", "d"]
    measured = interleave({name: Side(functools.partial(turns.append, name)) for name in names}, seconds=0)
    timed = turns[len(names):]  # the first look at each, to see how long it takes
    rounds = [timed[i:i + len(names)] for i in range(0, len(timed), len(names))]
    assert all(sorted(taken) == names for taken in rounds)
    assert len({tuple(taken) for taken in rounds}) > 1
    assert {len(m.rounds) for m in measured} == {len(rounds)}


def test_memory_is_the_most_of_a_step_and_what_a_side_keeps():
    def large():
        np.ones(1_000_000)
    result = run(case({"large": lambda: Side(large), "keeps": lambda: Side(lambda: None, kept=lambda: 5_000_000)},
                      kind="memory"), seconds=0)
    assert result.median("large") == pytest.approx(8_000_000, rel=0.01)
    assert result.median("keeps") == pytest.approx(5_000_000, rel=0.01)


GOALS = (Goal("tinygraph", ("peer", "gone"), at_least=0.001), Goal("tinygraph", ("gone",), at_most=1.0),
         Goal("tinygraph compiled", ("peer",), at_most=0.0))


@pytest.fixture(scope="module")
def document():
    names = ("tinygraph", "tinygraph compiled", "peer")
    results = [run(case({**{name: side() for name in names}, "gone": absent}, goals=GOALS), seconds=0)]
    return json.loads(json.dumps(report.document(results), allow_nan=False))


def test_the_document_is_versioned_json(document):
    assert document["schema"] == "tinygraph-benchmarks/1"
    assert set(document) == {"schema", "when", "machine", "versions", "blas", "threads", "notes", "results"}
    assert {"processor", "cores", "system", "python"} == set(document["machine"])
    assert {"tinygraph", "numpy"} <= set(document["versions"])
    (result,) = document["results"]
    assert set(result) == {"work", "title", "kind", "sides", "goals", "refused", "missing"}
    assert all(set(s) == {"name", "median", "spread", "least", "rounds", "cores"} for s in result["sides"])
    assert [goal["reached"] for goal in result["goals"]] == [True, None, False]
    assert result["goals"][0]["best"] == "peer"


def test_the_markdown_table_has_a_row_a_side_and_its_ratios(document):
    text = report.markdown(document)
    rows = re.findall(r"^\| (.+?) \| ([\d.,]+ \w+) \| \d+% \| ([\d.]+) \| ([\d.]+) \|$", text, re.M)
    assert [row[0] for row in rows] == ["tinygraph", "tinygraph compiled", "peer"]
    assert rows[0][2] == rows[1][3] == "1.00"
    assert "| / tinygraph | / tinygraph compiled |" in text
    assert "| some work | tinygraph: at most 1 of gone | not measured |  |" in text
    assert re.search(r"^\| some work \| tinygraph compiled: at most 0 of peer \| [\d.]+ \| not reached \|$", text, re.M)
    assert "- left out: gone is not installed" in text


def test_a_later_run_of_a_case_takes_the_place_of_an_earlier(document):
    other = {**document["results"][0], "title": "other work"}
    again = {**document["results"][0], "refused": {"peer": "fails"}}
    found = report.merged([{**document, "results": [*document["results"], other]}, {**document, "results": [again]}])
    assert [(r["title"], r["refused"]) for r in found["results"]] == [("some work", {"peer": "fails"}),
                                                                     ("other work", {})]


def test_the_plot_is_a_picture(document, tmp_path):
    pytest.importorskip("matplotlib")
    report.plot(document, tmp_path / "plot.png")
    assert (tmp_path / "plot.png").read_bytes().startswith(b"\x89PNG")


def test_the_program_writes_three_files_and_keeps_what_a_file_held(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(program.benchmarks, "limit", lambda threads: None)  # the tests have set it
    monkeypatch.setattr(black_scholes, "OPTIONS", 10)
    black_scholes.options.cache_clear()
    for name in ("op_chain", "black_scholes"):
        monkeypatch.setattr(sys.modules[f"benchmarks.work.{name}"], "cases", _ours(name))
        assert program.main([name, "--seconds", "0", "--out", str(tmp_path / "all")]) == 0
    black_scholes.options.cache_clear()
    written = json.loads((tmp_path / "all.json").read_text())
    assert [result["work"] for result in written["results"]] == ["op_chain", "black_scholes"]
    assert "in a chain of 2,000" in (tmp_path / "all.md").read_text()
    assert str(tmp_path / "all.json") in capsys.readouterr().out
    with pytest.raises(SystemExit, match="there is no workload 'nonsense'; there are attention, "):
        program.main(["nonsense"])


MODULES = {"op_chain": op_chain, "black_scholes": black_scholes, "convnet": convnet, "hvp": hvp, "lstm": lstm,
           "scalars": scalars}
OWN = (peers.EAGER, peers.COMPILED, dense.BY_HAND, black_scholes.BY_HAND, peers.LECTURE)


def _ours(name):
    """The cases of a workload, for those sides that need no peer."""
    cases = MODULES[name].cases

    def fewer():
        for found in cases():
            yield Case(found.work, found.title, {side: make for side, make in found.sides.items() if side in OWN},
                       found.goals, found.dtype, found.kind, found.steps)
    return fewer


@pytest.mark.parametrize("name", ["convnet", "hvp", "lstm", "scalars"])
def test_the_sides_that_need_no_peer_agree(name):
    for found in _ours(name)():
        result = run(found, seconds=0)
        assert {m.name for m in result.measured} >= {peers.EAGER, peers.COMPILED}
        assert result.refused == {}
        assert result.missing == {}


def test_the_hand_written_and_the_lectures_network_agree_with_ours():
    problem = dense.Problem((20, 7, 5, 3), batch=6, dtype=np.float64, rate=0.1)
    result = run(case({name: make for name, make in dense.sides(problem).items() if name in OWN}), seconds=0)
    assert result.refused == {}
    assert len(result.measured) == 4


@pytest.mark.parametrize("path", sorted((ROOT / "benchmarks" / "results").glob("*.json")), ids=lambda path: path.stem)
def test_the_tables_that_the_docs_include_are_those_of_the_data(path):
    data = json.loads(path.read_text(encoding="utf-8"))
    assert data["schema"] == report.SCHEMA
    assert path.with_suffix(".md").read_text(encoding="utf-8") == report.markdown(data)
    assert f"../benchmarks/results/{path.stem}.md" in (ROOT / "docs" / "benchmarks.md").read_text(encoding="utf-8")
