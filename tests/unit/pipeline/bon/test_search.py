"""What a step-level search shows its reward model."""

from pipeline.bon.search import SearchSettings, _Searcher
from pipeline.config import EngineConfig, parse_config
from pipeline.engine.scripted import ScriptedEngine
from pipeline.records import Problem
from tests.unit.pipeline.bon.test_pool import Judge


def test_the_options_are_shown_and_a_beginning_is_shown_as_one() -> None:
    config = parse_config({"name": "x", "sources": [{"name": "a", "path": "rows.jsonl"}]})
    problem = Problem("p0", "even", "r", "Which?", "B", (), ("3", "4"), ("choice",), 1, "p")
    judge = Judge()
    searcher = _Searcher(ScriptedEngine(EngineConfig(kind="scripted")), judge, config, SearchSettings())
    assert searcher._scores(problem, ["good\n\n", "bad\n\ngood"]) == [0.9, 0.6]
    assert [request.question for request in judge.asked] == ["Which?\nA. 3\nB. 4"] * 2
    assert [request.steps for request in judge.asked] == [("good", ""), ("bad", "good")]
