"""A policy that thinks, from `dataset` to `train` to `score`: the steps of the chosen part alone have scores, everywhere."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pyarrow.parquet as pq
import pytest
import yaml

from stages.reward.config import PrmConfig
from tests.families import family
from tests.integration.conftest import Command, scripted
from tests.places import ROOT

THINKS = {"kind": "scripted", "args": {"thinking": "opened", "unclosed": 0.1}}


def made(config: Path, folder: Path, visualprm: Command) -> list[dict]:
    """The dataset's rows; a reward model in `folder / "prm"` that learnt from them."""
    done = visualprm("dataset", config)
    assert done.returncode == 0, done.stderr[-3000:]
    model, processor = family("internvl")
    model.save_pretrained(folder / "base")
    processor.save_pretrained(folder / "base")
    settings = {
        "name": "t", "run_dir": str(folder / "training"), "output_dir": str(folder / "prm"),
        "data": {"path": str(folder / "data"), "held_out": 0.0},
        "model": {"base": str(folder / "base"), "output_dtype": "float32", "attention": "eager"},
        "optim": {"loader_workers": 0, "batch_size": 4, "args": {"max_steps": 2}},
        "check": {"report_to": []},
    }  # fmt: skip
    (folder / "train.yaml").write_text(yaml.safe_dump(settings))
    done = visualprm("train", folder / "train.yaml")
    assert done.returncode == 0, done.stderr[-3000:]
    return [row for path in sorted((folder / "data").glob("*.parquet")) for row in pq.read_table(path).to_pylist()]


@pytest.mark.parametrize("part", ["answer", "thinking"])
def test_the_steps_of_the_chosen_part_alone_have_scores(tmp_path: Path, visualprm: Command, part: str) -> None:
    sampling = {"num_solutions": 2, "max_tokens": 400}
    config = scripted(tmp_path, engine=THINKS, split={"part": part}, sampling=sampling)
    check(made(config, tmp_path, visualprm), tmp_path, part, visualprm)


@pytest.mark.more
def test_a_policy_on_vllm_whose_thinking_is_closed(tmp_path: Path, visualprm: Command) -> None:
    """The demo's policy with a template that opens the thinking: it never closes it, so that is done after 24 tokens."""
    policy = tmp_path / "policy"
    shutil.copytree(ROOT / "demo/policy", policy)
    template = policy / "chat_template.jinja"
    opened = template.read_text().replace(
        "<|im_start|>assistant\n' }}{% endif %}", "<|im_start|>assistant\n<think>\n' }}{% endif %}"
    )
    assert opened != template.read_text()
    template.write_text(opened)
    prompt = tmp_path / "thinking.txt"
    prompt.write_text((ROOT / "prompts/demo_v1.txt").read_text() + "\n{close_thinking}\n</think>")
    config = scripted(
        tmp_path,
        sources=[{"name": "charts", "function": "demo.benchmark:problems", "kwargs": {"count": 6}}],
        prompt=str(prompt),
        engine={"model": str(policy), "dtype": "float32", "max_model_len": 1024},
        sampling={"num_solutions": 2, "max_tokens": 160, "max_thinking_tokens": 24},
        rollout={"num_draws": 2, "max_truncated": None},
        split={"part": "answer"},
    )
    rows = made(config, tmp_path, visualprm)
    check(rows, tmp_path, "answer", visualprm, least=4)
    # One that came to its end before is thinking alone, and has no steps to judge.
    assert sum("</think>" in row["response"] for row in rows) >= len(rows) / 2
    assert "closed" in (tmp_path / "data/README.md").read_text()


def check(rows: list[dict], tmp_path: Path, part: str, visualprm: Command, least: int = 20) -> None:
    """Dataset, card, model and scores agree on which steps are judged; `least` steps were measured."""
    measured = 0
    for row in rows:
        thought, closed, _ = row["response"].partition("</think>")
        position = 0
        for step in row["steps_with_score"]:
            start = row["response"].index(step["step"], position)
            position = start + len(step["step"])
            in_thinking = start < len(thought) or not closed
            assert (step["origin"] == "context") == (in_thinking == (part == "answer"))
            assert step["origin"] in ("context", "measured", "own_answer")
            assert (step["score"] is None) == (step["origin"] == "context")
            measured += step["origin"] == "measured"
    assert measured > least
    stated = json.loads((tmp_path / "data/stats.json").read_text())
    assert stated["split"] == {"part": part, "opened": True, "max_steps": 12}
    assert f"the {part} alone, split at blank lines" in (tmp_path / "data/README.md").read_text()
    prm = PrmConfig.load(tmp_path / "prm")
    assert prm.split is not None
    assert prm.split.model_dump() == stated["split"]
    assert f"the {part} alone, split at blank lines" in (tmp_path / "prm/README.md").read_text()
    # By the published steps and by the response as a text: the same steps, the same scores, null for the same steps.
    bare = tmp_path / "bare.jsonl"
    bare.write_text(
        "".join(json.dumps({"id": r["id"], "question": r["question"], "response": r["response"]}) + "\n" for r in rows)
    )
    given = tmp_path / "given.jsonl"
    keep = ("id", "question", "steps_with_score")
    given.write_text("".join(json.dumps({key: row[key] for key in keep}) + "\n" for row in rows))
    found = {}
    for file in (bare, given):
        done = visualprm("score", tmp_path / "prm", file, "--out", file.with_suffix(".scores.jsonl"))
        assert done.returncode == 0, done.stderr[-3000:]
        found[file.stem] = [json.loads(line) for line in file.with_suffix(".scores.jsonl").open()]
    for row, one, other in zip(rows, found["bare"], found["given"], strict=True):
        context = [step["origin"] == "context" for step in row["steps_with_score"]]
        if all(context):
            assert one["error"].startswith("no_such_part")
            continue
        assert one["steps"] == [step["step"] for step in row["steps_with_score"]]
        assert [score is None for score in one["step_scores"]] == context
        assert one["step_scores"] == pytest.approx(other["step_scores"], abs=1e-6)
        judged = [score for score in one["step_scores"] if score is not None]
        assert one["scores"]["mean"] == pytest.approx(sum(judged) / len(judged), abs=1e-6)
