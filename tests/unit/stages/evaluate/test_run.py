"""`visualprm evaluate` from end to end, with recorded scores, a scripted engine and a critic that fails."""

from __future__ import annotations

import io
import json
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

import pytest
from PIL import Image

from pipeline.cli import main
from pipeline.config import EngineConfig
from pipeline.errors import EngineDead, RowError, UserError
from stages.evaluate import run as evaluation
from stages.evaluate.bench import read_bench
from stages.evaluate.critic import Item, Judged
from stages.evaluate.open_critic import CriticConfig, open_critic
from stages.evaluate.run import EvaluateSettings, evaluate, score_bench
from stages.evaluate.score_log import ScoreLog
from stages.evaluate.threshold import Rule
from stages.reward.config import PrmConfig
from tests.documented import json_keys
from tests.stub_server import Stub, running


@pytest.fixture
def bench(tmp_path: Path) -> Path:
    folder = tmp_path / "bench"
    (folder / "images").mkdir(parents=True)
    buffer = io.BytesIO()
    Image.new("RGB", (8, 8)).save(buffer, "PNG")
    rows = []
    for number in range(70):
        (folder / "images" / f"{number}.png").write_bytes(buffer.getvalue() if number else b"broken")
        labels = [1, 1 if number % 2 else -1, 0]
        response = {"steps": [f"step {number}", "b", "c"], "process_correctness": labels}
        rows.append({"id": f"r{number}", "image": [f"images/{number}.png"], "question": f"q{number}", "answer": "4",
                     "response": response, "policy_model": "p", "data_source": "ab"[number % 2]})  # fmt: skip
    (folder / "test.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    return folder


class Knows:
    """A critic that finds every wrong step, and counts how it is called."""

    middle = 0.5

    def __init__(self, dies_after: int = 10**9) -> None:
        self.batches: list[int] = []
        self.dies_after = dies_after

    def score_many(self, items: Sequence[Item]) -> list[Judged]:
        if len(self.batches) >= self.dies_after:
            raise EngineDead("out of memory")
        self.batches.append(len(items))
        return [Judged([0.9, 0.8 if int(item.steps[0].split()[1]) % 2 else 0.1, None]) for item in items]

    def close(self) -> None:
        self.batches.append(-1)


def scored(bench: Path, critic: Any, folder: Path) -> list[Judged]:
    log = ScoreLog(folder / "log.jsonl", "this")
    score_bench(read_bench(bench), critic, log)
    return log.judged


def test_a_critic_is_asked_in_batches_and_a_broken_image_costs_its_sample_alone(bench: Path, tmp_path: Path) -> None:
    critic = Knows()
    found = scored(bench, critic, tmp_path)
    assert critic.batches == [63, 6]
    assert found[0] == Judged([None, None, None], Counter(bad_image=3))
    assert found[1] == Judged([0.9, 0.8, None])


def test_images_are_shown_as_a_dataset_would_hold_them(bench: Path, tmp_path: Path) -> None:
    """A transparent picture on white, as everything that is trained on has it."""
    seen: list[Item] = []

    class Looks(Knows):
        def score_many(self, items: Sequence[Item]) -> list[Judged]:
            seen.extend(items)
            return super().score_many(items)

    Image.new("RGBA", (8, 8), (0, 0, 0, 0)).save(bench / "images" / "1.png")
    scored(bench, Looks(), tmp_path)
    with Image.open(io.BytesIO(seen[0].images[0])) as image:
        assert (image.mode, image.getpixel((3, 3))) == ("RGB", (255, 255, 255))


def test_identical_solutions_are_judged_once_and_failures_counted_for_each(bench: Path, tmp_path: Path) -> None:
    rows = [json.loads(line) for line in (bench / "test.jsonl").read_text().splitlines()]
    same = [{**rows[1], "id": f"copy {number}"} for number in range(3)]
    (bench / "test.jsonl").write_text("".join(json.dumps(row) + "\n" for row in [*same, rows[2]]))

    class Fails(Knows):
        def score_many(self, items: Sequence[Item]) -> list[Judged]:
            self.batches.append(len(items))
            return [Judged([0.5, None, 0.5], Counter(why=1)) for _ in items]

    critic = Fails()
    found = scored(bench, critic, tmp_path)
    assert critic.batches == [2]
    assert sum((judged.failures for judged in found), Counter()) == {"why": 4}


def test_an_engine_that_dies_costs_the_batch_under_way(
    bench: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    first, second = Knows(dies_after=1), Knows()
    critics = iter([first, second])
    monkeypatch.setattr(evaluation, "open_critic", lambda model, settings: next(critics))
    words = ["evaluate", "some/model", str(bench), "--out", str(tmp_path / "out"), "resamples=5"]
    with pytest.raises(SystemExit) as stop:
        main(words)
    assert stop.value.code == 1
    assert "the engine died (out of memory); the same command resumes from here" in capsys.readouterr().err
    # A call that can't even begin costs nothing.
    with pytest.raises(SystemExit):
        main([*words, "--against", "/nope.jsonl", "--threshold", "0.5"])
    main(words)
    assert (first.batches, second.batches) == ([63, -1], [6, -1])
    assert len((tmp_path / "out" / "scores.jsonl").read_text().splitlines()) == 70
    assert json.loads((tmp_path / "out" / "report.json").read_text())["failures"] == {"bad_image": 3}
    assert not (tmp_path / "out" / "scores.part.json").exists()


def test_a_log_of_other_scores_is_begun_anew_once_there_are_some(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "log.json"
    ScoreLog(path, "this").add([Judged([0.5, None], Counter(why=1))])
    assert ScoreLog(path, "this").judged == [Judged([0.5, None], Counter(why=1))]
    other = ScoreLog(path, "other")
    assert other.judged == []
    assert "1 samples scored by another model, or asked otherwise: started again" in capsys.readouterr().err
    assert len(ScoreLog(path, "this").judged) == 1
    other.add([Judged([0.1])])
    assert ScoreLog(path, "other").judged == [Judged([0.1])]
    path.write_text('{"made_from"')
    with pytest.raises(UserError, match="remove it to start again"):
        ScoreLog(path, "this")


def test_a_logs_origin_is_what_scores_depend_on(bench: Path, tmp_path: Path) -> None:
    def origin(**more: Any) -> str:
        given = {"critic": "prompted", "prompt": str(prompt), "engine": {"kind": "scripted"}, **more}
        return evaluation._origin("m", read_bench(bench), EvaluateSettings.model_validate(given))

    prompt = tmp_path / "mine.txt"
    prompt.write_text("{question} {steps}")
    before = origin()
    assert origin(resamples=5, engine={"kind": "scripted", "max_in_flight": 3}) == before
    assert origin(max_tokens=9) != before
    assert origin(engine={"kind": "scripted", "chat_template": {"enable_thinking": False}}) != before
    prompt.write_text("{question} Please! {steps}")
    assert origin() != before


def test_the_report_can_be_made_again_from_its_scores(
    bench: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(evaluation, "open_critic", lambda model, settings: Knows())
    out = tmp_path / "out"
    main(["evaluate", "model", str(bench), "--out", str(out), "resamples=50"])
    printed = capsys.readouterr().out
    assert "| **this critic** |" in printed
    report = json.loads((out / "report.json").read_text())
    assert report["pooled"]["macro_f1"] == {"value": 1.0, "low": 1.0, "high": 1.0}
    assert report["steps"]["not_measured"] == 2
    assert report["failures"] == {"bad_image": 3}
    assert (out / "report.md").read_text() in printed
    assert (out / "report.png").read_bytes().startswith(b"\x89PNG")

    words = ["evaluate", str(out / "scores.jsonl"), str(bench), "--out", str(tmp_path / "again"), "resamples=50"]
    main([*words, "--json"])
    told = json.loads(capsys.readouterr().out)
    assert told["labels_are_about"] is told["as_prefixes"] is None
    assert told.keys() == json_keys("evaluate") - {"against"}
    assert (told["folder"], told["pooled"]) == (str(tmp_path / "again"), report["pooled"])
    again = json.loads((tmp_path / "again" / "report.json").read_text())
    differing = {key for key in report if report[key] != again[key]}
    assert differing == {"model", "failures"}
    main([*words, "about=step", "--json"])
    of_steps = json.loads(capsys.readouterr().out)
    assert (of_steps["labels_are_about"], of_steps["pooled"]) == ("step", report["pooled"])
    assert of_steps["as_prefixes"]["steps"]["wrong"] >= report["steps"]["wrong"]
    assert "Labels are about steps by themselves." in (tmp_path / "again" / "report.md").read_text()


def test_the_threshold_is_the_middle_of_the_critics_scores_unless_it_is_given(
    bench: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Signed(Knows):
        middle = 0.0

    monkeypatch.setattr(evaluation, "open_critic", lambda model, settings: Signed())
    for words, value in (([], 0.0), (["--threshold", "0.5"], 0.5)):
        main(["evaluate", "model", str(bench), "--out", str(tmp_path / "out"), "resamples=5", *words])
        report = json.loads((tmp_path / "out" / "report.json").read_text())
        assert report["threshold"]["value"] == value


def test_another_critics_scores_beside_it(bench: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    good, bad = tmp_path / "good.jsonl", tmp_path / "bad.jsonl"
    samples = read_bench(bench).samples
    good.write_text(
        "".join(json.dumps({"id": s.sample_id, "scores": [float(x == 1) for x in s.labels]}) + "\n" for s in samples)
    )
    bad.write_text("".join(json.dumps({"id": s.sample_id, "scores": [1.0] * 3}) + "\n" for s in samples))
    words = ["evaluate", str(good), str(bench), "--against", str(bad), "--out", str(tmp_path / "o"), "resamples=50"]
    with pytest.raises(SystemExit):
        main(words)
    assert "--against: two critics' scores may lie on two scales" in capsys.readouterr().err
    main([*words, "--threshold", "0.5"])
    assert f"This critic minus {bad}, paired by problem over the 140 steps that both scored" in capsys.readouterr().out
    against = json.loads((tmp_path / "o" / "report.json").read_text())["against"]
    assert 0.4 < against["macro_f1"]["low"] < 0.7


def test_reports_of_two_files_of_scores_lie_apart(bench: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("prm", "base"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "scores.jsonl").write_text('{"id": "r1", "scores": [0.9, 0.2, 0.5]}\n')
        main(["evaluate", f"{name}/scores.jsonl", str(bench), "resamples=5"])
    assert sorted(folder.name for folder in Path("outputs/evaluate").iterdir()) == [
        "base-scores-on-bench", "prm-scores-on-bench"
    ]  # fmt: skip
    with pytest.raises(SystemExit):
        main(["evaluate", "m", str(bench), "--against", "nope", "--threshold", "tuned"])
    assert not Path("outputs/evaluate/m-on-bench").exists()


def test_settings_may_follow_options_but_nothing_else_may(capsys: pytest.CaptureFixture[str]) -> None:
    cases = (
        (["status", "run", "a=1"], "too many arguments: a=1"),
        (["evaluate", "m", "b", "--nope", "a=1"], "no option --nope"),
        (["publish", "r", "--x", "y"], "no option --x"),
    )
    for words, line in cases:
        with pytest.raises(SystemExit) as stop:
            main(words)
        assert stop.value.code == 2
        assert line in capsys.readouterr().err


def test_scores_of_another_shape_are_refused(bench: Path, tmp_path: Path) -> None:
    file = tmp_path / "scores.jsonl"
    for text, message in [
        ('{"id": "r1", "scores": [0.5]}', "1 scores for 3 steps"),
        ('{"id": "other", "scores": [0.5]}', "no sample of this bench"),
        ('{"id": "r1"}', "line 1"),
        ('{"id": "r1", "scores": [NaN, 1, 1]}', "finite"),
    ]:
        file.write_text(text + "\n")
        with pytest.raises(UserError, match=message):
            evaluate(str(file), str(bench), Rule("fixed", 0.5), str(tmp_path / "o"), EvaluateSettings(resamples=5))
    with pytest.raises(UserError, match="no such file of scores"):
        evaluate(str(tmp_path / "no.jsonl"), str(bench), Rule("swept"), str(tmp_path / "o"), EvaluateSettings())


def test_a_prompted_critic_on_an_engine_that_answers_something_else(bench: Path, tmp_path: Path) -> None:
    """The scripted engine solves instead of judging: nothing is read into it, and every step is counted."""
    config = CriticConfig.model_validate({"critic": "prompted", "max_tokens": 500, "engine": {"kind": "scripted"}})
    critic = open_critic("scripted", config)
    found = scored(bench, critic, tmp_path)
    critic.close()
    assert {score for judged in found for score in judged.scores} == {None}
    assert sum((judged.failures for judged in found), Counter()) == {"unparsable": 3 * 69, "bad_image": 3}


def test_a_critic_that_gave_no_score_at_all_ends_with_the_reasons(
    bench: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["critic=prompted", "judging=each", "max_tokens=500", "engine.kind=scripted"]
    with pytest.raises(SystemExit) as stop:
        main(["evaluate", "scripted", str(bench), "--out", str(tmp_path / "o"), *words])
    assert stop.value.code == 2
    error = capsys.readouterr().err
    assert "scripted: gave no score (207 steps unparsable, 3 steps bad_image)" in error
    assert "an answer without a verdict on every step, for example: " in error


@pytest.mark.parametrize(("judging", "writes"), [("schema", "json"), ("schema", "text"), ("all", "text")])
def test_servers_that_are_asked_by_a_schema_must_answer_by_one(judging: Any, writes: Any) -> None:
    with running(Stub(model="a-judge", writes=writes)) as stub:
        engine = EngineConfig(kind="server", api="openai", model="a-judge", urls=(stub.url,))
        config = CriticConfig(critic="prompted", judging=judging, engine=engine)
        if (judging, writes) == ("schema", "text"):
            with pytest.raises(UserError, match=r"engine\.urls: the judge's answers don't fit a schema"):
                open_critic("a-judge", config)
            return
        open_critic("a-judge", config).close()


def test_a_reward_model_is_asked_for_whole_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    from stages.reward import model, open_scorer

    asked: list[tuple[str, str | None]] = []

    class Model:
        """Scores every step 0.5; a solution of two steps is too long for it."""

        def __init__(self, kind: Literal["prm", "orm"]) -> None:
            self.config = PrmConfig(kind=kind, target="advantage", label_weights={"+": 1.0, "=": 0.0, "-": -1.0},
                                    first_turn="{question}{step}", max_tokens=9, base_model="b",
                                    data_fingerprint="d")  # fmt: skip

        def score_many(self, candidates: Sequence[Any]) -> list[list[float] | RowError]:
            return [RowError("too_long") if len(c.steps) == 2 else [0.5] * len(c.steps) for c in candidates]

    for kind in ("prm", "orm"):
        made = Model(kind)

        def load(path: str, backend: str, like: str | None, made: Model = made) -> Model:
            asked.append((backend, like))
            return made

        monkeypatch.setattr(model, "read_config", lambda path, like, made=made: made.config)
        monkeypatch.setattr(open_scorer, "load_scorer", load)
        if kind == "orm":
            with pytest.raises(UserError, match="outcome model"):
                open_critic("m", CriticConfig())
        else:
            critic = open_critic("m", CriticConfig(backend="vllm"))
            items = [Item("?", (), ("a",)), Item("?", (), ("a", "b")), Item("?", (), ("a", "b", "c"))]
            assert critic.score_many(items) == [
                Judged([0.5]), Judged([None, None], Counter(too_long=2)), Judged([0.5] * 3)
            ]  # fmt: skip
            assert critic.middle == 0.0
            critic.close()
    assert asked == [("vllm", None)]
    with pytest.raises(UserError, match="backend: is for reward models"):
        open_critic("m", CriticConfig(critic="prompted", backend="vllm"))


def test_the_usual_backend_leaves_settings_as_they_were() -> None:
    assert "backend" not in CriticConfig().model_dump(mode="json")
    assert CriticConfig(backend="vllm").model_dump(mode="json")["backend"] == "vllm"


def test_a_prompt_file_without_its_placeholder_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "mine.txt"
    file.write_text("{question}\n{steps}")
    with pytest.raises(UserError, match=r"needs \{step\}"):
        open_critic("m", CriticConfig(critic="prompted", judging="each", prompt=str(file)))
    with pytest.raises(UserError, match=r"none\.txt: no such file; correct the path"):
        open_critic("m", CriticConfig(critic="prompted", prompt=str(tmp_path / "none.txt")))
