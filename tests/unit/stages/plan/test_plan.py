"""Plans over stand-in files: what must hold whatever the numbers are, and what the checks find."""

from __future__ import annotations

import csv
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import PIL.Image
import pytest

from pipeline.command_line.answer import to_json
from pipeline.config import EngineConfig, RunConfig, SourceConfig, load_config, parse_config
from pipeline.errors import UserError
from pipeline.records import Problem
from stages.load.parse import load
from stages.plan.data import plan_data
from stages.plan.model import read_model
from stages.plan.plan import Plan, make_plan
from stages.plan.rows import read_rows
from stages.plan.text import plan_text
from stages.plan.units import money
from tests.documented import json_keys
from tests.unit.stages.publish.test_reverify import draw, make_run


def write_source(folder: Path, name: str, rows: int) -> dict[str, Any]:
    folder.mkdir(exist_ok=True)
    PIL.Image.new("RGB", (900, 450)).save(folder / "wide.png")
    questions = ["How long is it? " * (1 + row % 5) for row in range(rows)]
    lines = [json.dumps({"image": "wide.png", "question": question, "answer": "1"}) for question in questions]
    (folder / f"{name}.jsonl").write_text("\n".join(lines))
    return {"name": name, "path": str(folder / f"{name}.jsonl")}


def config(folder: Path, *overrides: str) -> RunConfig:
    sources = [write_source(folder / "rows", "geo170k_extracted_full", 200), write_source(folder / "rows", "mine", 100)]
    data = {
        "name": "planned",
        "run_dir": str(folder / "run"),
        "output_dir": str(folder / "data"),
        "prompt": "prompts/final_answer_v1.txt",
        "sources": sources,
        "engine": {"model": "nobody/Model-8B", "max_model_len": 8192},
    }
    return parse_config(data, overrides)


def verdicts(plan: Plan) -> dict[str, str]:
    return {check.text.split(":")[0]: check.verdict for check in plan.checks}


def test_cells_that_hold_lists_are_measured_as_they_are_loaded(tmp_path: Path) -> None:
    for name in ("a.png", "b.png"):
        PIL.Image.new("RGB", (90, 45)).save(tmp_path / name)
    cells = ['["a.png", "b.png"]', "Which?", "A", '["left", "right"]']
    with (tmp_path / "rows.csv").open("w", newline="") as file:
        csv.writer(file).writerows([["image", "question", "answer", "options"], cells])
    source = SourceConfig(name="cells", path=str(tmp_path / "rows.csv"))
    assert isinstance(next(iter(load(source, lambda problem: None))), Problem)
    rows = read_rows(source)
    assert (rows.count, rows.bad, rows.questions) == (1, {}, ["Which?\nleft\nright"])
    assert [[(width, height) for width, height, _ in images] for images in rows.images] == [[(90, 45)] * 2]


def test_a_plan(tmp_path: Path) -> None:
    plan = make_plan(config(tmp_path), gpu="h100", gpu_hour_price=2.0)
    geo, mine = plan.sources["geo170k_extracted_full"], plan.sources["mine"]
    assert (geo.problems, geo.solutions, mine.solutions) == (200, 800, 400)
    # table 8: 61,314 steps in 8,205 rollouts
    assert geo.steps.middle == pytest.approx(800 * 61_314 / 8_205)
    assert mine.steps.low < mine.steps.middle < mine.steps.high
    assert set(verdicts(plan).values()) == {"ok", "unknown"}
    hours = plan.hours["fixed"]
    assert hours is not None
    assert hours.low < hours.middle < hours.high
    text = plan_text(plan)
    for word in (
        "geo170k_extracted_full",
        "engine-hours",
        "cost",
        "stop_after_zero",
        "arXiv 2602.04145",
        "not measured",
    ):
        assert word in text


def test_a_plan_for_programs(tmp_path: Path) -> None:
    plan = make_plan(config(tmp_path, "engine.tensor_parallel_size=2"), tokens_per_second=1000, gpu_hour_price=3)
    data = json.loads(to_json(plan_data(plan)))
    assert data.keys() == json_keys("plan")
    assert data["sources"].keys() == plan.sources.keys()
    assert data["total"]["problems"] == 300
    draws = plan.total.draws
    assert data["total"]["draws"] == {"low": draws.low, "middle": draws.middle, "high": draws.high}
    assert data["total"]["cost"]["middle"] == pytest.approx(6 * data["total"]["engine_hours"]["middle"])
    assert data["strategies"]["fixed"] == data["total"]
    assert {check["verdict"] for check in data["checks"]} == set(verdicts(plan).values())
    unknown = plan_data(make_plan(config(tmp_path)))["total"]
    assert (unknown["engine_hours"], unknown["cost"]) == (None, None)


def test_twice_the_draws_are_twice_the_draws(tmp_path: Path) -> None:
    once = make_plan(config(tmp_path, "rollout.num_draws=8")).total
    twice = make_plan(config(tmp_path, "rollout.num_draws=16")).total
    assert twice.draws.middle == pytest.approx(2 * once.draws.middle)
    assert twice.steps == once.steps
    assert once.generated.middle < twice.generated.middle < 2 * once.generated.middle


def test_a_limit_and_fewer_solutions_cost_less(tmp_path: Path) -> None:
    whole = make_plan(config(tmp_path)).total
    half = make_plan(config(tmp_path, "sampling.num_solutions=2")).total
    assert half.draws.middle == pytest.approx(whole.draws.middle / 2)
    assert make_plan(config(tmp_path, "sources.0.limit=50")).sources["geo170k_extracted_full"].problems == 50


def test_a_given_rate_and_price(tmp_path: Path) -> None:
    plan = make_plan(config(tmp_path, "engine.tensor_parallel_size=2"), tokens_per_second=1000, gpu_hour_price=3)
    hours = plan.hours["fixed"]
    assert hours is not None
    assert hours.middle == pytest.approx(plan.total.generated.middle / 3.6e6)
    text = plan_text(plan)
    assert f"cost: {money(hours.middle * 2 * 3, '')} (" in text
    assert "in the currency of --gpu-hour-price, for 2 GPUs of an engine at 3.00 an hour" in text
    in_euros = plan_text(replace(plan, currency="EUR", replicas=8))
    assert f"cost: {money(hours.middle * 2 * 3, 'EUR')} (" in in_euros
    assert " with 8 engines" in in_euros
    assert " with 1 engine\n" in text
    assert make_plan(config(tmp_path)).hours["fixed"] is None


def test_the_checks_find_what_is_wrong(tmp_path: Path) -> None:
    good = config(tmp_path)
    broken = good.model_copy(
        update={
            "sources": (*good.sources, good.sources[0].model_copy(update={"name": "gone", "path": str(tmp_path / "gone.jsonl")})),
            "prompt": str(tmp_path / "no_prompt.txt"),
            "output_dir": "/proc/nothing",
            "engine": good.engine.model_copy(update={"max_model_len": 2048}),
        }
    )  # fmt: skip
    plan = make_plan(broken)
    wrong = [check.text for check in plan.checks if check.verdict == "wrong"]
    assert len(wrong) == 4
    for part in ("gone.jsonl", "no_prompt.txt", "/proc", "engine.max_model_len=2,048: raise it to"):
        assert any(part in text for text in wrong), part
    assert plan.sources["mine"].problems == 100
    lines = plan_text(plan).splitlines()
    assert lines[0] == "in the way:"
    assert all(line.startswith("  WRONG ") for line in lines[1:5])
    assert lines[5] == ""
    assert not any("WRONG" in line for line in lines[6:])


def test_a_plan_of_nothing_says_so(tmp_path: Path) -> None:
    good = config(tmp_path)
    gone = good.sources[0].model_copy(update={"path": str(tmp_path / "gone.jsonl")})
    text = plan_text(make_plan(good.model_copy(update={"sources": (gone,)})))
    assert text.startswith("in the way:\n  WRONG   ")
    assert "gone.jsonl" in text.splitlines()[1]
    assert "no source can be planned: see above" in text
    assert "engine-hours" not in text
    assert "prompt tokens" not in text


def test_golds_that_can_not_be_told_stand_in_the_way(tmp_path: Path) -> None:
    settings = config(tmp_path)
    row = {"image": "wide.png", "question": "Which?", "answer": 1, "options": ["cat", "owl", "newt"]}
    (tmp_path / "rows" / "mine.jsonl").write_text("\n".join([json.dumps(row)] * 4))
    wrong = [check.text for check in make_plan(settings).checks if check.verdict == "wrong"]
    assert len(wrong) == 1
    assert wrong[0].startswith("source 'mine': gold: index0 and index1 both fit the 4 rows with options")
    row = {"image": "wide.png", "question": "Which?", "answer": "B"}
    (tmp_path / "rows" / "mine.jsonl").write_text("\n".join([json.dumps(row)] * 4))
    wrong = [check.text for check in make_plan(settings).checks if check.verdict == "wrong"]
    assert wrong == ["source 'mine': of 4 measured rows 4 gold_without_options"]


def test_a_known_policy_is_planned_by_what_it_writes(tmp_path: Path) -> None:
    demo = load_config("configs/demo.yaml", [f"run_dir={tmp_path}/run", f"output_dir={tmp_path}/data"])
    known = make_plan(demo)
    # 96 problems in float32 took 557,973 tokens for 2,207 steps and 29,168 draws.
    assert known.total.generated.middle == pytest.approx(557_973, rel=0.15)
    assert known.total.steps.middle == pytest.approx(2_207, rel=0.05)
    assert known.total.draws.middle == pytest.approx(29_168, rel=0.05)
    assert any("demo/policy on its own charts" in note for note in known.notes)
    # To others' questions it writes otherwise: the statistics stand.
    others = make_plan(config(tmp_path, "engine.model=demo/policy"))
    assert others.total.steps == make_plan(config(tmp_path)).total.steps
    assert not any("demo/policy" in note for note in others.notes)
    # Its processor cuts no tiles: an image has 16 tokens.
    tiles = [read_model(EngineConfig(model=name)).tiles for name in ("demo/policy", "a/b")]
    assert tiles == [False, True]
    script = make_plan(config(tmp_path, "engine.kind=scripted")).total
    assert script.steps.middle == pytest.approx(3.5 * script.solutions)


def test_a_low_token_limit_makes_solutions_short(tmp_path: Path) -> None:
    """1,200 solutions; without limits a mean one of the source `mine` has 5.6 × 27.8 words, and 4/3 tokens for each."""
    free, low = (make_plan(config(tmp_path, f"sampling.max_tokens={most}")).sources["mine"] for most in (4096, 128))
    own = [each.prefill.middle for each in (free, low)]
    assert free.steps == low.steps
    images_and_text = own[0] - 400 * 5.63 * 27.8 * 4 / 3
    assert own[1] - images_and_text == pytest.approx(400 * 128 / 3.8, rel=0.1)
    assert low.generated.high < 400 * 128 * (1 + 16 * 12)
    assert low.generated.middle < free.generated.middle / 4


def test_a_policy_that_reuses_no_prefix_computes_every_prompt(tmp_path: Path) -> None:
    cached, plain = (
        make_plan(config(tmp_path, f"engine.args={{enable_prefix_caching: {on}}}")) for on in ("true", "false")
    )
    assert cached.total.prefill.middle < 0.1 * cached.total.prompt.middle
    assert plain.total.prefill == plain.total.prompt == cached.total.prompt
    assert "all of them computed: no prefix is reused" in plan_text(plain)
    (told,) = [check.text for check in plain.checks if check.text.startswith("no prefix is reused")]
    cheapest = min(plain.strategies, key=lambda name: plain.strategies[name].prefill.middle)
    assert f"rollout.strategy={cheapest} computes" in told


def test_thinking_costs_what_it_is_long(tmp_path: Path) -> None:
    long = ["sampling.max_tokens=8000", "engine.max_model_len=16384"]

    def plan(*overrides: str, thinking: float | None = 2000.0) -> Plan:
        return make_plan(config(tmp_path, *long, *overrides), thinking_tokens=thinking)

    plain, answer = plan(thinking=None).total, plan("split.part=answer").total
    solutions = plain.solutions
    assert answer.draws == plain.draws
    # Each solution thinks; the draws after a step of the answer don't think again, but their prefixes hold the thinking.
    assert answer.generated.middle - plain.generated.middle == pytest.approx(2000 * solutions, rel=0.05)
    assert answer.prompt.middle - plain.prompt.middle == pytest.approx(2000 * plain.draws.middle, rel=0.05)
    thinking = plan("split.part=thinking").total
    assert thinking.generated.middle > answer.generated.middle
    closed = plan("split.part=answer", "sampling.max_thinking_tokens=500").total
    assert closed.generated.middle - plain.generated.middle == pytest.approx(500 * solutions, rel=0.05)


def test_thinking_that_will_be_cut_is_told(tmp_path: Path) -> None:
    short = config(tmp_path, "sampling.max_tokens=3000")
    (told,) = [check for check in make_plan(short, thinking_tokens=2000).checks if check.text.startswith("thinking")]
    assert told.verdict == "wrong"
    assert "raise it to 4000, or set sampling.max_thinking_tokens" in told.text
    with pytest.raises(UserError, match="the pilot run says how long"):
        make_plan(short, thinking_tokens=2000, pilot_run=str(tmp_path / "run"))


def test_heads_that_do_not_divide(tmp_path: Path) -> None:
    plan = make_plan(config(tmp_path, "engine.model=demo/policy", "engine.tensor_parallel_size=2"))
    assert verdicts(plan)["tensor parallelism"] == "wrong"
    assert any("16 tokens each" in note for note in plan.notes)


def test_bad_rows_are_not_planned_for(tmp_path: Path) -> None:
    settings = config(tmp_path)
    rows = [json.dumps({"image": name, "question": "What?", "answer": "1"}) for name in ["wide.png", "none.png"] * 8]
    (tmp_path / "rows" / "mine.jsonl").write_text("\n".join(rows))
    plan = make_plan(settings)
    assert plan.sources["mine"].problems == 8
    assert "source 'mine': of 16 measured rows 8 missing_image" in [check.text for check in plan.checks]


def test_a_pilot_replaces_the_statistics(tmp_path: Path) -> None:
    pilot = make_run(tmp_path / "pilot", (draw("Final answer: B", "correct"),) * 4)
    plan = make_plan(config(tmp_path), pilot_run=pilot.uri)
    # every solution of the pilot has two steps, of which the first is drawn from, two tokens each
    assert plan.total.steps.middle == 2 * plan.total.solutions
    assert plan.total.draws.middle == 16 * plan.total.solutions
    assert plan.total.generated.middle == pytest.approx((4 + 16 * 2) * plan.total.solutions)
    # Cut after three of four tokens, a draw after the first step has one.
    cut = make_plan(config(tmp_path, "sampling.max_tokens=3"), pilot_run=pilot.uri).total
    assert cut.generated.middle == pytest.approx((3 + 16 * 2 * 1) * cut.solutions, rel=0.5)
    merged = make_plan(config(tmp_path, "split.max_steps=1"), pilot_run=pilot.uri).total
    assert (merged.steps.middle, merged.draws.middle) == (merged.solutions, 0)


def test_a_pilot_of_another_policy_or_limit_is_told(tmp_path: Path) -> None:
    pilot = make_run(tmp_path / "pilot", (draw("Final answer: B", "correct"),) * 4)
    held = {
        "engine.model": "nobody/Model-8B@0123",
        "prompt": "prompts/final_answer_v1.txt",
        "sampling.max_tokens": 1024,
    }
    pilot.write_json("ledger.json", held)
    settings = config(tmp_path)
    assert "pilot" not in verdicts(make_plan(settings, pilot_run=pilot.uri))
    pilot.write_json("ledger.json", {**held, "engine.model": "demo/policy@4567", "sampling.max_tokens": 128})
    told = [check for check in make_plan(settings, pilot_run=pilot.uri).checks if check.text.startswith("pilot: ")]
    assert [(check.verdict, check.text) for check in told] == [
        (
            "unknown",
            "pilot: engine.model was demo/policy, is nobody/Model-8B; sampling.max_tokens was 128, is 1024: its figures may "
            "not hold for this run",
        )
    ]


def test_user_errors(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="'tpu' is not known; use one of a100"):
        make_plan(config(tmp_path), gpu="tpu")


def test_the_whole_corpus_below_one_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("MMPR", raising=False)
    recipe = load_config("configs/visualprm400k.yaml")
    wrong = [check.text for check in make_plan(recipe).checks if check.verdict == "wrong"]
    assert [text for text in wrong if "MMPR" in text] == wrong
    assert len(wrong) == 1
    for source in recipe.sources:
        assert source.path is not None
        path = tmp_path / source.path
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps({"image": "a.png", "question": "How many?", "answer": "1"}) + "\n")
    PIL.Image.new("RGB", (640, 480)).save(tmp_path / "a.png")
    monkeypatch.setenv("MMPR", str(tmp_path))
    plan = make_plan(recipe, gpu="h100")
    assert (len(plan.sources), plan.total.problems) == (39, 39)
    assert "wrong" not in verdicts(plan).values()
    assert any("its own figures for 38 of 39 sources" in note for note in plan.notes)
