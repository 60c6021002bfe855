"""Scores of tiny random models of every family, against a forward pass for each step alone."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import PIL.Image
import pytest
import torch

from pipeline.errors import RowError, UserError
from stages.reward.beta import StepScores, intervals
from stages.reward.collate import collate, prepare
from stages.reward.config import PrmConfig
from stages.reward.model import Candidate, ProcessRewardModel, Reader, read_config
from stages.reward.render import FIRST_TURN, Layout, expand, image_token_id, leading, render
from tests.families import FAMILIES, POLICY, family
from tests.unit.pipeline.test_model_files import cached
from tests.unit.stages.reward.test_collate import IMAGES

CANDIDATES = [
    Candidate("How many?", tuple(IMAGES), ("a + b", "+\n\n-", "so 7", "- 3")),
    Candidate("<image>\nWhich?", (IMAGES[1],), ("left",)),
    Candidate("Why?", (), ("because " * 20, "so")),
]


def config(**changes: Any) -> PrmConfig:
    fields: dict[str, Any] = {
        "kind": "prm",
        "target": "value",
        "label_weights": {"+": 1.0, "-": 0.0},
        "first_turn": FIRST_TURN,
    }
    fields |= {"system": "Judge.", "max_tokens": 4096, "base_model": "tiny", "data_fingerprint": "none"}
    return PrmConfig.model_validate({**fields, **changes})


@pytest.fixture(scope="module", params=FAMILIES)
def made(request: pytest.FixtureRequest) -> tuple[Any, Any]:
    return family(request.param)


def step_by_step(
    model: Any, processor: Any, candidate: Candidate, weights: dict[str, float], first_turn: str
) -> list[float]:
    """A forward pass for each step, over a conversation that ends with it; labels read by the tokenizer alone."""
    layout, scores = Layout(tuple(weights), "+", first_turn, "Judge."), []
    pictures = prepare(processor, candidate.images)
    ids = [processor.tokenizer.convert_tokens_to_ids(label) for label in weights]
    for end in range(1, len(candidate.steps) + 1):
        # Inline a solution that ends here isn't one that goes on.
        shown = candidate.steps if layout.inline else candidate.steps[:end]
        rendering = leading(render(processor, candidate.question, len(candidate.images), shown, layout), end)
        expanded = expand(rendering, image_token_id(processor), pictures.spans)
        inputs = collate(processor, [expanded.token_ids[: expanded.slots[-1]]], [pictures])
        with torch.inference_mode():
            probabilities = model(**inputs).logits[0, -1, ids].softmax(dim=-1)
        scores.append(sum(float(p) * weight for p, weight in zip(probabilities, weights.values(), strict=True)))
    return scores


@pytest.mark.parametrize("first_turn", [FIRST_TURN, "{question}\nSolve."], ids=["turns", "inline"])
@pytest.mark.parametrize("weights", [{"+": 1.0, "-": 0.0}, {"+": 1.0, "=": 0.0, "-": -1.0}], ids=["value", "advantage"])
def test_one_pass_equals_a_pass_for_each_step_alone_or_in_a_batch(
    made: tuple[Any, Any], weights: dict, first_turn: str
) -> None:
    model, processor = made
    scorer = ProcessRewardModel(model, processor, config(label_weights=weights, first_turn=first_turn))
    expected = [step_by_step(model, processor, candidate, weights, first_turn) for candidate in CANDIDATES]
    batch = scorer.score_many(CANDIDATES)
    alone = [scorer.score(each.question, each.images, each.steps) for each in CANDIDATES]
    for own, single, steps in zip(batch, alone, expected, strict=True):
        assert own == pytest.approx(single, abs=1e-5)
        assert own == pytest.approx(steps, abs=1e-4)
    assert len({round(score, 3) for own in expected for score in own}) > 3


def test_the_model_sees_the_rendered_ids(made: tuple[Any, Any]) -> None:
    model, processor = made
    seen: list[Any] = []
    hook = model.register_forward_pre_hook(lambda _, args, given: seen.append(given["input_ids"]), with_kwargs=True)
    one = CANDIDATES[0]
    ProcessRewardModel(model, processor, config()).score_many([one])
    hook.remove()
    rendering = render(processor, one.question, 2, one.steps, Layout(system="Judge."))
    spans = prepare(processor, one.images).spans
    assert seen[0].tolist() == [list(expand(rendering, image_token_id(processor), spans).token_ids)]


def test_the_released_layout_read_as_its_code_does() -> None:
    """VisualPRM-8B: slots found by the ids of header, placeholder and end; softmax over `+` and `-` before each."""
    model, processor = family("internvl")
    steps = ("1 + 2 = 3", "so 4")
    text = (
        "<|im_start|>system\nSystem.<|im_end|>\n<|im_start|>user\n### Question:\n<IMG_CONTEXT>\nWhich?\n\n"
        "### Solution Process:\n1 + 2 = 3<|im_end|>\n<|im_start|>assistant\n+<|im_end|>\n"
        "<|im_start|>user\nso 4<|im_end|>\n<|im_start|>assistant\n+<|im_end|>\n"
    )
    inputs = processor(images=[PIL.Image.open(io.BytesIO(IMAGES[0]))], text=text, return_tensors="pt")
    ids = inputs["input_ids"][0].tolist()
    turn = processor.tokenizer.encode("<|im_start|>assistant\n+<|im_end|>", add_special_tokens=False)
    ends = [k + len(turn) - 3 for k in range(len(ids)) if ids[k : k + len(turn)] == turn]
    plus, minus = processor.tokenizer.convert_tokens_to_ids(["+", "-"])
    with torch.inference_mode():
        logits = model(**inputs).logits[0, ends][:, [plus, minus]]
    scorer = ProcessRewardModel(model, processor, config(system="System."))
    found = scorer.score("<image>\nWhich?", [IMAGES[0]], steps)
    assert found == pytest.approx(logits.softmax(dim=-1)[:, 0].tolist(), abs=1e-5)


def test_small_batches_give_the_same_in_order() -> None:
    model, processor = family("qwen3_vl")
    whole = ProcessRewardModel(model, processor, config()).score_many(CANDIDATES)
    parts = ProcessRewardModel(model, processor, config(), batch_tokens=1).score_many(CANDIDATES)
    for own, other in zip(whole, parts, strict=True):
        assert own == pytest.approx(other, abs=1e-5)


def test_bfloat16_is_near() -> None:
    model, processor = family("internvl")
    exact = ProcessRewardModel(model, processor, config()).score_many(CANDIDATES)
    rounded = ProcessRewardModel(model.to(torch.bfloat16), processor, config()).score_many(CANDIDATES)
    for own, other in zip(exact, rounded, strict=True):
        assert own == pytest.approx(other, abs=0.05)


def test_an_outcome_model_scores_the_response_once() -> None:
    model, processor = family("internvl")
    outcome = ProcessRewardModel(model, processor, config(kind="orm", target="outcome"))
    process = ProcessRewardModel(model, processor, config())
    assert outcome.score("?", [], ["a", "b"]) == process.score("?", [], ["a\n\nb"])


def test_what_cannot_be_scored_says_why_and_the_rest_is_scored() -> None:
    model, processor = family("internvl")
    bad = [
        Candidate("?", (), ()),
        Candidate("?", (b"no image",), ("a",)),
        Candidate("?", (IMAGES[0][:200],), ("a",)),
        Candidate("?", (), ("word " * 2000,)),
        CANDIDATES[2],
    ]
    found = ProcessRewardModel(model, processor, config()).score_many(bad)
    assert [error.reason for error in found if isinstance(error, RowError)] == [
        "no_step", "bad_image", "bad_image", "too_long",
    ]  # fmt: skip
    assert isinstance(found[-1], list)


def test_a_model_of_counts_says_how_sure_it_is_by_the_height_of_its_logits() -> None:
    model, processor = family("internvl")
    one = CANDIDATES[2]
    counts = config(target="counts", concentration_scale=0.5)
    found = ProcessRewardModel(model, processor, counts).score(one.question, one.images, one.steps)
    assert isinstance(found, StepScores)
    assert found == ProcessRewardModel(model, processor, config()).score(one.question, one.images, one.steps)
    rendering = render(processor, one.question, 0, one.steps, Layout(system="Judge."))
    with torch.inference_mode():
        logits = model(**collate(processor, [rendering.token_ids], [prepare(processor, ())])).logits[0]
    plus_and_minus = processor.tokenizer.convert_tokens_to_ids(["+", "-"])
    sizes = logits[[slot - 1 for slot in rendering.slots]][:, plus_and_minus].logsumexp(-1)
    assert found.concentrations == pytest.approx((0.5 * (6 * torch.tanh(sizes / 6)).exp()).tolist(), rel=1e-3)


def test_neither_other_targets_nor_untrained_models_nor_log_probabilities_say_how_sure_they_are() -> None:
    _, processor = family("internvl")
    logits = torch.tensor([[2.0, 1.0]])
    assert not isinstance(Reader(processor, config()).expectation(logits), StepScores)
    untrained = config(target="counts", data_fingerprint="untrained")
    assert not isinstance(Reader(processor, untrained).expectation(logits), StepScores)
    counts = Reader(processor, config(target="counts"))
    assert isinstance(counts.expectation(logits), StepScores)
    assert not isinstance(counts.expectation(logits.log_softmax(-1), heights=False), StepScores)


def test_steps_that_are_context_have_no_interval() -> None:
    one = Candidate("?", (), ("a", "b"), context=frozenset({0}))
    low, high = one.bounds(StepScores([0.5, 0.5], [20.0, 20.0]))
    assert (low, high) == ([None, intervals([0.5], [20.0])[0][0]], [None, intervals([0.5], [20.0])[0][1]])
    assert one.bounds([0.5, 0.5]) == (None, None)


def test_a_model_that_gives_no_number_is_told_of() -> None:
    model, processor = family("internvl")
    torch.nn.init.constant_(model.get_output_embeddings().weight, float("nan"))
    (found,) = ProcessRewardModel(model, processor, config()).score_many(CANDIDATES[2:])
    assert isinstance(found, RowError)
    assert found.reason == "not_finite"


def test_a_model_survives_a_folder(tmp_path: Path) -> None:
    model, processor = family("internvl")
    config().save(tmp_path)
    model.save_pretrained(tmp_path)
    processor.save_pretrained(tmp_path)
    loaded = ProcessRewardModel.from_pretrained(str(tmp_path), device="cpu")
    one = CANDIDATES[0]
    expected = ProcessRewardModel(model, processor, config()).score(one.question, one.images, one.steps)
    assert loaded.score(one.question, one.images, one.steps) == pytest.approx(expected, abs=1e-6)


def test_a_policy_is_a_critic_and_an_empty_folder_is_none(tmp_path: Path) -> None:
    critic = read_config(str(POLICY))
    assert critic.data_fingerprint == "untrained"
    assert critic.system is not None
    with pytest.raises(UserError, match="holds no model"):
        read_config(str(tmp_path))
    (tmp_path / "prm_config.json").write_text('{"version": 2}')
    with pytest.raises(UserError, match=r"prm_config\.json: not a reward model's config"):
        read_config(str(tmp_path))


def test_a_reward_model_on_the_hub_is_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    config(placeholder="+", first_turn="{question}").save(cached(tmp_path, "someone/prm"))
    (cached(tmp_path, "someone/base", missing=True) / "prm_config.json").touch()
    (cached(tmp_path, "someone/unclear") / "config.json").touch()
    assert read_config("someone/prm").data_fingerprint == "none"
    assert read_config("someone/base").data_fingerprint == "untrained"
    assert read_config("someone/base", like="someone/prm").first_turn == "{question}"
    with pytest.raises(UserError, match="someone/prm: is a reward model with its own"):
        read_config("someone/prm", like="someone/prm")
    with pytest.raises(UserError, match=r"--like someone/base: holds no prm_config\.json"):
        read_config("someone/base", like="someone/base")
    with pytest.raises(UserError, match=r"someone/unclear: .* it is not known whether the model has one"):
        read_config("someone/unclear")


def test_labels_of_several_tokens_are_refused() -> None:
    model, processor = family("internvl")
    with pytest.raises(UserError, match="'Yes' is not one token"):
        ProcessRewardModel(model, processor, config(label_weights={"Yes": 1.0, "No": 0.0}, placeholder="Yes"))


@pytest.mark.parametrize(
    ("candidate", "reason"),
    [
        (Candidate("?", (), ()), "no_step"),
        (Candidate("?", (), ("", " \n")), "no_step"),
        (Candidate("<image> and <image>?", (IMAGES[0],), ("x",)), "missing_image"),
        (Candidate("<image>?", (), ("x",)), "missing_image"),
    ],
)
def test_what_a_score_would_mean_nothing_for_is_refused(candidate: Candidate, reason: str) -> None:
    scorer = ProcessRewardModel(*family("demo"), config())
    (found, whole) = scorer.score_many([candidate, Candidate("?", (), ("x",))])
    assert isinstance(found, RowError)
    assert found.reason == reason
    assert isinstance(whole, list)
