"""A frozen pool: what it is named by, what is refused, what critics leave beside it."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

from pipeline.command_line.answer import to_json
from pipeline.config import SplitConfig
from pipeline.errors import RowError, UserError
from pipeline.records import Image, Problem, VerdictStatus, problem_row
from stages.best_of_n.critics import CriticSpec, find_critic
from stages.best_of_n.expected import best_of, pass_at
from stages.best_of_n.pool import Pool, PoolCandidate, PoolProblem, write_pool
from stages.best_of_n.report import ReportSettings, build_report, report_pool
from stages.best_of_n.scores import read_scores, score_pool, score_problems
from stages.reward.beta import StepScores, intervals
from stages.reward.config import PrmConfig
from stages.reward.model import Candidate
from tests.documented import json_keys
from tests.families import POLICY

ABOUT = {
    "run": "x",
    "num_candidates": 4,
    "policy_model": "m",
    "failed": {},
    "sampling": {"temperature": 1.0, "greedy_first": False},
}


def candidate(problem: int, number: int, text: str) -> PoolCandidate:
    status: VerdictStatus = "correct" if text.endswith("4") else "incorrect"
    steps = tuple(text.split("\n\n"))
    group = {"4": 0, "7": 1}.get(text[-1:])
    name = f"p{problem}"
    return PoolCandidate(name, number, f"{name}/k/s{number}", text, steps, text[-1:], status, group, number, "stop", 3)


TEXTS = ["good\n\n4", "bad\n\n7", "bad\n\n7", "good\n\nso\n\n4"]


def make(folder: Path, problems: int = 40, texts: list[str] = TEXTS) -> Path:
    def items():  # type: ignore[no-untyped-def]
        for number in range(problems):
            source = "even" if number % 2 == 0 else "odd"
            problem = Problem(
                f"p{number:02d}", source, "r", "Q?", "4", (Image.of(bytes([number])),), (), ("number",), 1, "p"
            )
            row = {**problem_row(problem), "policy_prompt": "Q!"}
            own = [candidate(number, k, texts[(k + number) % len(texts)]) for k in range(4)]
            yield row, [PoolCandidate(**{**vars_of(c), "problem_id": problem.problem_id}) for c in own]

    write_pool(str(folder), items(), ABOUT)
    return folder


def vars_of(item: PoolCandidate) -> dict:
    return {name: getattr(item, name) for name in PoolCandidate.__slots__}


class Judge:
    """Knows the word `good`, refuses what is too long, and counts what it is asked."""

    name = "judge"

    def __init__(self, stop_after: int = 10**9, kind: Literal["prm", "orm"] = "prm") -> None:
        self.asked: list[Candidate] = []
        self.stop_after = stop_after
        self.config = config(kind)

    def score_many(self, candidates: Sequence[Candidate]) -> list[list[float] | RowError]:
        return list(map(self.score, candidates))

    def score(self, request: Candidate) -> list[float] | RowError:
        if len(self.asked) >= self.stop_after:
            raise KeyboardInterrupt
        self.asked.append(request)
        steps = request.steps if self.config.kind == "prm" else ["\n\n".join(request.steps)]
        return [0.9 if "good" in step else 0.3 for step in steps]


def config(kind: Literal["prm", "orm"]) -> PrmConfig:
    return PrmConfig(kind=kind, target="value" if kind == "prm" else "outcome", label_weights={"+": 1.0, "-": 0.0},
                     first_turn="{question}{step}", max_tokens=9, base_model="b", data_fingerprint="d")  # fmt: skip


def critic(folder: Path, kind: Literal["prm", "orm"] = "prm") -> str:
    folder.mkdir()
    config(kind).save(folder)
    return str(folder)


def judge_of(critic: CriticSpec) -> Judge:
    return Judge(kind=PrmConfig.load(Path(critic.path)).kind)


def test_a_pool_reads_as_it_was_written_and_keeps_images_once(tmp_path: Path) -> None:
    pool = Pool(str(make(tmp_path / "pool")))
    problems = list(pool.problems())
    assert len(problems) == pool.num_problems == 40
    assert problems[3].images == (Image.of(b"\x03"),)
    assert [c.text for c in problems[0].candidates] == TEXTS
    assert problems[0].policy_prompt == "Q!"
    assert "data" not in pq.read_schema(tmp_path / "pool" / "candidates.parquet").names


def test_the_hash_follows_the_content_and_not_the_files(tmp_path: Path) -> None:
    first, again, other = (make(tmp_path / name, texts=texts) for name, texts in
                           (("a", TEXTS), ("b", TEXTS), ("c", [*TEXTS[:3], "good\n\n4"])))  # fmt: skip
    assert Pool(str(first)).hash == Pool(str(again)).hash != Pool(str(other)).hash
    table = pq.read_table(again / "candidates.parquet")
    pq.write_table(table, again / "candidates.parquet", compression="none")
    assert Pool(str(first)).hash == Pool(str(again)).hash


def change(folder: Path, **more: Any) -> None:
    document = json.loads((folder / "pool.json").read_text())
    (folder / "pool.json").write_text(json.dumps({**document, **more}))


def rewrite(folder: Path, edit: Callable[[list[dict]], list[dict]]) -> None:
    path = folder / "candidates.parquet"
    table = pq.read_table(path)
    pq.write_table(table.from_pylist(edit(table.to_pylist())), path)


@pytest.mark.parametrize(
    ("harm", "says"),
    [
        (lambda folder: rewrite(folder, lambda rows: [{**rows[0], "answer": "8"}, *rows[1:]]), "its files are"),
        (lambda folder: rewrite(folder, lambda rows: rows[:-4]), "can't be read as a pool"),
        (lambda folder: rewrite(folder, lambda rows: [{**one, "mine": 1} for one in rows]), "can't be read as a pool"),
        (lambda folder: (folder / "candidates.parquet").unlink(), "can't be read as a pool"),
        (lambda folder: (folder / "candidates.parquet").write_bytes(b"PAR1"), "can't be read as a pool"),
        (lambda folder: (folder / "pool.json").write_text("{"), "can't be read as a pool"),
        (lambda folder: (folder / "pool.json").write_text("{}"), "can't be read as a pool"),
        (lambda folder: change(folder, problems=39), "pool.json says .*39 problems"),
        (lambda folder: change(folder, num_candidates=3), "pool.json says .*120 candidates"),
    ],
)
def test_a_changed_pool_is_refused(tmp_path: Path, harm: Callable[[Path], Any], says: str) -> None:
    folder = make(tmp_path / "pool")
    harm(folder)
    with pytest.raises(UserError, match=f"{says}.*a frozen pool must stay as it is"):
        Pool(str(folder))


def test_other_files_are_not_replaced_and_an_empty_pool_is_refused(tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("keep")
    with pytest.raises(UserError, match="holds files that are not a pool"):
        make(tmp_path)
    assert (tmp_path / "mine.txt").exists()
    with pytest.raises(UserError, match="nothing to freeze"):
        make(tmp_path / "empty", problems=0)
    assert not (tmp_path / "empty").exists()
    with pytest.raises(UserError, match="no candidate pool is here"):
        Pool(str(tmp_path))


def test_a_stopped_scoring_goes_on_and_equal_responses_are_scored_once(tmp_path: Path) -> None:
    folder, prm = make(tmp_path / "pool"), critic(tmp_path / "prm")
    first, second = Judge(stop_after=70), Judge()
    with pytest.raises(KeyboardInterrupt):
        score_pool(str(folder), [prm], lambda critic: first)
    score_pool(str(folder), [prm], lambda critic: second)
    # 3 distinct responses a problem; the stop was in the second part of 16 problems.
    assert len(second.asked) == 3 * 24
    (scores,) = read_scores(Pool(str(folder)))
    assert scores.problems == 40
    _, candidates = next(Pool(str(folder)).candidates())
    assert scores.of(candidates) == [[0.9, 0.3], [0.3, 0.3], [0.3, 0.3], [0.9, 0.3, 0.3]]

    def unneeded(critic: CriticSpec) -> Judge:
        raise AssertionError("all is scored")

    score_pool(str(folder), [prm], unneeded)


def test_an_outcome_critic_gives_one_score(tmp_path: Path) -> None:
    folder, orm, judge = make(tmp_path / "pool"), critic(tmp_path / "orm", "orm"), Judge(kind="orm")
    score_pool(str(folder), [f"outcome={orm}"], lambda critic: judge)
    (scores,) = read_scores(Pool(str(folder)))
    assert (scores.name, scores.outcome) == ("outcome", True)
    _, candidates = next(Pool(str(folder)).candidates())
    assert scores.of(candidates) == [[0.9], [0.3], [0.3], [0.9]]


def test_another_pool_or_model_under_the_same_name_is_refused(tmp_path: Path) -> None:
    folder, prm = make(tmp_path / "pool"), critic(tmp_path / "prm")
    score_pool(str(folder), [prm], judge_of)
    with pytest.raises(UserError, match="another name by NAME=PATH"):
        score_pool(str(folder), ["prm=" + critic(tmp_path / "other", "orm")], judge_of)
    other = make(tmp_path / "second", texts=[*TEXTS[:3], "good\n\n4"])
    (folder / "scores").rename(other / "scores")
    for refused in (lambda: report_pool(str(other), ReportSettings()),
                    lambda: score_pool(str(other), [prm], judge_of)):  # fmt: skip
        with pytest.raises(
            UserError, match=r"holds scores of another pool: pool \(\w+\.{0,3}, now \w+\.{0,3}\): remove"
        ) as caught:
            refused()
        assert "\n" not in str(caught.value)
    with pytest.raises(UserError, match="holds no model"):
        score_pool(str(folder), [str(tmp_path)])


def test_a_critic_trained_again_in_its_folder_is_scored_anew(tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    folder, prm = make(tmp_path / "pool"), critic(tmp_path / "prm")
    score_pool(str(folder), [prm], judge_of)
    config("orm").save(Path(prm))
    score_pool(str(folder), [prm], judge_of)
    assert "has changed since (prm@" in capsys.readouterr().err
    (scores,) = read_scores(Pool(str(folder)))
    _, candidates = next(Pool(str(folder)).candidates())
    assert scores.of(candidates) == [[0.9], [0.3], [0.3], [0.9]]
    assert scores.outcome


def test_a_stop_while_scoring_anew_leaves_no_old_score(tmp_path: Path) -> None:
    folder, prm = make(tmp_path / "pool"), critic(tmp_path / "prm")
    score_pool(str(folder), [prm], judge_of)
    config("orm").save(Path(prm))
    judge = Judge(stop_after=60, kind="orm")
    with pytest.raises(KeyboardInterrupt):
        score_pool(str(folder), [prm], lambda critic: judge)
    (scores,) = read_scores(Pool(str(folder)))
    assert scores.problems == 16
    score_pool(str(folder), [prm], judge_of)
    (scores,) = read_scores(Pool(str(folder)))
    assert {len(own["scores"]) for rows in scores.rows.values() for own in rows.values()} == {1}


def test_a_base_model_is_read_as_the_reward_model_it_is_beside(tmp_path: Path) -> None:
    prm, plain, like = critic(tmp_path / "prm"), find_critic(f"base={POLICY}"), str(tmp_path / "prm")
    base = find_critic(f"base={POLICY}", like)
    assert (base.like, plain.like, find_critic(prm, like).like) == (like, None, None)
    assert base.fingerprint != plain.fingerprint
    assert base.fingerprint.partition("+")[0] == plain.fingerprint.partition("+")[0]
    assert find_critic(prm, backend="vllm").fingerprint == find_critic(prm).fingerprint + "+vllm"
    with pytest.raises(UserError, match="every critic here is a reward model"):
        score_pool(str(make(tmp_path / "pool", problems=2)), [prm], judge_of, like=like)


def test_an_advantage_critic_votes_with_weights_of_at_least_0(tmp_path: Path) -> None:
    class Advantage(Judge):
        def score(self, request: Candidate) -> list[float] | RowError:
            return [-0.5 for _ in request.steps]

    texts = ["bad\n\n4", "bad\n\n4", "bad\n\n4", "bad\n\n7"]
    folder, prm = make(tmp_path / "pool", texts=texts), critic(tmp_path / "prm")
    weights = {"+": 1.0, "=": 0.0, "-": -1.0}
    config("prm").model_copy(update={"target": "advantage", "label_weights": weights}).save(Path(prm))
    score_pool(str(folder), [prm], lambda critic: Advantage())
    pool = Pool(str(folder))
    (scores,) = read_scores(pool)
    assert scores.bounds == (-1.0, 1.0)
    report, _ = build_report(pool, [scores], ReportSettings(resamples=100))
    votes = next(method for method in report["methods"] if method["label"] == "prm (mean) × vote")
    # All score -1/2: were that the weight, three votes for 4 would count less than one for 7.
    assert votes["accuracy"][-1]["mean"] == 1.0


def test_what_a_critic_refuses_has_no_score_and_a_reason(tmp_path: Path) -> None:
    class Refusing(Judge):
        def score(self, request: Candidate) -> list[float] | RowError:
            if "so" in request.steps:
                return RowError("too_long", "9 tokens")
            return [float("nan")] * 2 if request.steps[0] == "bad" else super().score(request)

    own = tuple(candidate(0, k, text) for k, text in enumerate(TEXTS))
    rows = score_problems([PoolProblem("p0", "s", "Q?", "Q!", "4", (), own)], Refusing(), outcome=False)
    by_first = {row["candidate"]: (row["scores"], (row["error"] or "").split(":")[0]) for row in rows}
    assert by_first == {
        0: ([0.9, 0.3], ""),
        1: (None, "critic_output"),
        3: (None, "too_long"),
    }


def test_a_critic_without_any_score_is_named_after_the_others_are_done(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    class Refuses(Judge):
        def score_many(self, candidates: Sequence[Candidate]) -> list[list[float] | RowError]:
            return [RowError("too_long", "9 tokens") for _ in candidates]

    folder, mute, good = make(tmp_path / "pool", 2), critic(tmp_path / "mute"), critic(tmp_path / "good")
    scorers = {"mute": Refuses(), "good": Judge()}
    for _ in range(2):
        with pytest.raises(UserError, match=r"mute: gave no score \(\d+ responses too_long\): try another critic"):
            score_pool(str(folder), [mute, good], lambda critic: scorers[critic.name])
        assert "good: 2 problems scored" in capsys.readouterr().out


def test_an_empty_response_has_no_score(tmp_path: Path) -> None:
    judge = Judge()
    texts: list[tuple[str, ...]] = [(), ("",), ("good", " "), ("good",)]
    own = tuple(replace(candidate(0, k, str(k)), steps=steps) for k, steps in enumerate(texts))
    rows = score_problems([PoolProblem("p0", "s", "Q?", "Q!", "4", (), own)], judge, outcome=False)
    rows.sort(key=lambda row: row["candidate"])
    assert [(row["error"] or "").split(":")[0] for row in rows] == ["empty_step"] * 3 + [""]
    assert [request.steps for request in judge.asked] == [("good",)]


def test_a_critic_of_counts_is_reported_by_the_lower_ends_of_its_intervals_too(tmp_path: Path) -> None:
    class Counting(Judge):
        """Is least sure where it gives the best scores."""

        def score(self, request: Candidate) -> list[float] | RowError:
            found = super().score(request)
            assert isinstance(found, list)
            return StepScores(found, [0.2 if score > 0.5 else 200.0 for score in found])

    folder, prm = make(tmp_path / "pool"), critic(tmp_path / "prm")
    score_pool(str(folder), [prm], lambda critic: Counting())
    pool = Pool(str(folder))
    (scores,) = read_scores(pool)
    assert scores.has_intervals
    (_, candidates), *_ = pool.candidates()
    low, high = (scores.of(candidates, column)[0] for column in ("step_low", "step_high"))
    assert low
    assert high
    assert list(zip(low, high, strict=True)) == intervals([0.9, 0.3], [0.2, 200.0])
    report, _ = build_report(pool, [scores], ReportSettings(resamples=100))
    found = {method["label"]: method["accuracy"][-1]["mean"] for method in report["methods"]}
    lows = [sum(own) / len(own) if own else float("nan") for own in scores.of(candidates, "step_low")]
    correct = np.array([one.correct for one in candidates])
    assert found["prm (mean of low)"] == pytest.approx(best_of(np.array(lows), correct, 4))
    assert found["prm (mean)"] == 1.0 != found["prm (mean of low)"]


def test_a_report_holds_the_exact_numbers_and_is_the_same_again(tmp_path: Path) -> None:
    folder, prm, orm = make(tmp_path / "pool"), critic(tmp_path / "prm"), critic(tmp_path / "orm", "orm")
    score_pool(str(folder), [prm, orm], judge_of)
    settings = ReportSettings(resamples=200)
    pool = Pool(str(folder))
    report, problems = build_report(pool, read_scores(pool), settings)
    assert (report, problems) == build_report(pool, read_scores(pool), settings)
    for method in report["methods"]:
        for point in method["accuracy"]:
            own = problems.filter((pc.field("method") == method["label"]) & (pc.field("n") == point["n"]))
            assert own["problem_id"].to_pylist() == list(pool.sources)
            assert pc.mean(own["accuracy"]).as_py() == pytest.approx(point["mean"])
    found = {method["label"]: [point["mean"] for point in method["accuracy"]] for method in report["methods"]}
    assert report["sizes"] == [1, 2, 4]
    correct = np.array([True, False, False, True])
    assert found["oracle pass@N"] == pytest.approx([pass_at(correct, n) for n in (1, 2, 4)])
    assert found["pass@1"] == found["random"] == pytest.approx([0.5] * 3)
    means = np.array([0.6, 0.3, 0.3, 0.5])
    assert found["prm (mean)"] == pytest.approx([best_of(means, correct, n) for n in (1, 2, 4)])
    # Two answers with two votes each: a tie, decided by lot.
    assert found["self-consistency"] == pytest.approx([0.5] * 3)
    assert found["orm"][-1] == found["prm (mean) × vote"][-1] == 1.0
    assert {"prm (min)", "prm (last)", "prm (product)", "prm (max)", "orm × vote"} <= set(found)
    better = next(row for row in report["comparisons"]
                  if (row["first"], row["second"], row["n"]) == ("prm (mean)", "self-consistency", 4))  # fmt: skip
    assert (better["mean"], better["low"], better["high"]) == (0.5, 0.5, 0.5)
    assert better["p"] < 0.01
    answer = report_pool(str(folder), settings)
    text = answer.text
    assert text == (folder / "report" / "report.md").read_text().rstrip("\n")
    assert "| prm (mean) | 50.0" in text
    assert answer.data.keys() == json_keys("bon report")
    assert json.loads(to_json(answer.data)) == json.loads(json.dumps(report)) | {"folder": f"{folder}/report"}
    assert "Ties of self-consistency" in text
    assert (folder / "report" / "report.png").read_bytes().startswith(b"\x89PNG")
    assert json.loads((folder / "report" / "report.json").read_text()) == json.loads(json.dumps(report))
    assert pq.read_table(folder / "report" / "problems.parquet") == problems


def test_a_critic_that_is_not_done_is_left_out_and_named(tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    folder, prm = make(tmp_path / "pool"), critic(tmp_path / "prm")
    judge = Judge(stop_after=60)
    with pytest.raises(KeyboardInterrupt):
        score_pool(str(folder), [prm], lambda critic: judge)
    told = report_pool(str(folder), ReportSettings(resamples=100)).text
    assert "left out prm: it has scored 16 of 40 problems" in capsys.readouterr().err
    assert "prm" not in told
    with pytest.raises(UserError, match="must be one of mean, min"):
        report_pool(str(folder), ReportSettings(aggregate="median"))


def test_a_critic_sees_the_options(tmp_path: Path) -> None:
    problem = Problem("p0", "even", "r", "Which?", "B", (), ("3", "4"), ("choice",), 1, "p")
    row = {**problem_row(problem), "policy_prompt": "Think. Which?\nA. 3\nB. 4"}
    write_pool(str(tmp_path / "pool"), [(row, [candidate(0, k, "good\n\n4") for k in range(4)])], ABOUT)
    judge = Judge()
    score_pool(str(tmp_path / "pool"), [critic(tmp_path / "prm")], lambda path: judge)
    assert [request.question for request in judge.asked] == ["Which?\nA. 3\nB. 4"]


THOUGHT = "Hm.\n</think>\n\ngood\n\n4"


def test_what_a_pool_names_as_its_cutting_is_not_called(tmp_path: Path) -> None:
    own = (replace(candidate(0, 0, THOUGHT), steps=("Hm.\n</think>", "good", "4")),)
    how = SplitConfig(kind="no_such_module:cut", part="answer", opened=True)
    (row,) = score_problems([PoolProblem("p0", "s", "Q?", "Q!", "4", (), own)], Judge(), outcome=False, how=how)
    assert row["scores"] == [0.9, 0.3]


def test_an_outcome_critic_scores_a_response_that_is_thinking_alone() -> None:
    own = (candidate(0, 0, "good"),)
    how = SplitConfig(part="answer", opened=True)
    problems = [PoolProblem("p0", "s", "Q?", "Q!", "4", (), own)]
    (row,) = score_problems(problems, Judge(kind="orm"), outcome=True, how=how)
    assert (row["scores"], row["error"]) == ([0.9], None)
    (row,) = score_problems(problems, Judge(), outcome=False, how=how)
    assert row["error"].startswith("no_such_part")


def test_a_cutting_that_is_not_known_is_an_error_where_steps_may_be_context(tmp_path: Path) -> None:
    folder = make(tmp_path / "pool", 2)
    about = json.loads((folder / "pool.json").read_text())
    stated: Any
    for stated in ({"kind": "later"}, None):
        (folder / "pool.json").write_text(json.dumps({**about, "split": stated}))
        assert Pool(str(folder)).split is None
    for stated in ({"kind": "later", "part": "answer"}, "later"):
        (folder / "pool.json").write_text(json.dumps({**about, "split": stated}))
        with pytest.raises(UserError, match=r"pool\.json: split can't be read"):
            _ = Pool(str(folder)).split
