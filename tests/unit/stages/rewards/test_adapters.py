"""The contracts of TRL 1.16, verl 0.9 and ms-swift 4: what they call, with which arguments, and what they expect."""

from __future__ import annotations

import io
from typing import Any

import PIL.Image
import pytest

from pipeline.errors import UserError
from stages.reward.tokens import token_ends
from stages.rewards import verl
from stages.rewards.columns import responses
from stages.rewards.rewarder import Rewarder
from stages.rewards.swift import SwiftReward
from stages.rewards.trl import TrlReward
from tests.families import byte_tokenizer
from tests.unit.stages.reward.test_collate import IMAGES
from tests.unit.stages.rewards.test_rewarder import Lengths

PROMPT = [{"role": "user", "content": [{"type": "image"}, {"type": "text", "text": "How many?"}]}]


def test_trl_hands_over_its_columns() -> None:
    """`GRPOTrainer._calculate_rewards` calls `reward_func(prompts=…, completions=…, completion_ids=…, **columns)`."""
    service = Lengths()
    logged: dict[str, float] = {}
    reward = TrlReward(Rewarder(service, "min"))
    found = reward(
        prompts=[PROMPT] * 3,
        completions=[[{"role": "assistant", "content": text}] for text in ("x\n\nxx", "", "xxx")],
        completion_ids=[[1], [2], [3]],
        images=[[PIL.Image.open(io.BytesIO(IMAGES[0]))]] * 3,
        answer=["1", "2", "3"],
        trainer_state=None,
        log_extra=None,
        log_metric=logged.__setitem__,
        environments=None,
    )
    assert found == [0.01, None, 0.03]
    assert logged == {"visualprm_unscored": pytest.approx(1 / 3)}
    assert service.asked == [("How many?", 1, 3)]
    assert reward.__name__ == "visualprm_min"


def test_plain_texts_and_a_question_column_do_as_well() -> None:
    service = Lengths()
    reward = TrlReward(Rewarder(service, "ps_grpo", ("number",)))
    columns: dict[str, Any] = {"question": ["How many bars?"], "correct": [True], "image": [IMAGES[0]]}
    assert reward(["<chat>How many?"], ["x\n\nxx"], **columns) == [1.0]
    assert service.asked == [("How many bars?", 1, 1)]
    with pytest.raises(UserError, match="answer: 2 values for 1 completions"):
        reward(["?"], ["x"], answer=["1", "2"])


def test_verl_gets_numbers_of_the_same_names_for_every_row(monkeypatch: pytest.MonkeyPatch) -> None:
    """`NaiveRewardManager` takes `score` and keeps the rest in `reward_extra_info`, an array for each name."""
    service = Lengths()
    monkeypatch.setattr(verl, "rewarder", lambda: Rewarder(service, "mean"))
    row = {"question": "How many?", "images": [{"bytes": IMAGES[0], "path": None}]}
    good = verl.compute_score("demo", "x\n\nxxx", "3", row, sandbox_fusion_url=None)
    assert good == {"score": 0.02, "unscored": 0.0, "num_steps": 2.0, "min_step": 0.01}
    empty = verl.compute_score(data_source="demo", solution_str="", ground_truth="3", extra_info=row)
    assert empty == {"score": 0.0, "unscored": 1.0, "num_steps": 0.0, "min_step": 0.0}
    assert service.asked == [("How many?", 1, 1)] * 2
    with pytest.raises(UserError, match="no `question`"):
        verl.compute_score("demo", "x", "3", None)


def test_verl_can_lay_step_rewards_on_tokens(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(verl, "rewarder", lambda: Rewarder(Lengths(), "mean"))
    tokenizer = byte_tokenizer()
    text = "x\n\nxxx"
    ends = token_ends(tokenizer, [*tokenizer.encode(text, add_special_tokens=False), tokenizer.eos_token_id])
    reward = verl.reward_of(text, "3", {"question": "?"})
    assert verl.step_rewards(reward, ends) == [0.01, 0, 0, 0, 0, 0.03, 0]
    assert verl.step_rewards(verl.reward_of("", "3", {"question": "?"}), [0]) == [0.0]


def test_swift_makes_the_class_with_its_arguments_and_calls_it_with_columns(monkeypatch: pytest.MonkeyPatch) -> None:
    service = Lengths()
    reward = SwiftReward(args=object(), rewarder=Rewarder(service, "last"), reward_model=None)
    messages = [[*PROMPT, {"role": "assistant", "content": "x\n\nxx"}]] * 2
    found = reward(["x\n\nxx", ""], messages=messages, images=[[{"bytes": IMAGES[0]}]] * 2, solution=["1", "2"])
    assert found == [0.02, None]
    assert service.asked == [("How many?", 1, 2)]
    monkeypatch.delenv("VISUALPRM_REWARD_URL", raising=False)
    with pytest.raises(UserError, match="VISUALPRM_REWARD_URL"):
        SwiftReward(None)


def test_the_gold_is_found_under_any_usual_name() -> None:
    for name in ("answer", "solution", "ground_truth"):
        (found,) = responses(["?"], ["x"], {name: [3]})
        assert found.gold == "3"
