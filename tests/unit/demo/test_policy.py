"""What the demo policy is trained on and measured by, without a model: tokens, examples, estimates."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from demo.benchmark import problem
from demo.evaluate_policy import is_right, pass_at, vote, wrong_prefixes
from demo.reasoning import STEP_SEPARATOR, write
from demo.train_policy import IGNORED, PROMPT_FILE, Lessons, chat_prompt, learning_rate

PROMPT = PROMPT_FILE.read_text(encoding="utf-8").rstrip("\n")


@pytest.fixture(scope="module")
def lessons() -> Lessons:
    from demo.model import build_tokenizer

    return Lessons(build_tokenizer(PROMPT, samples=300), PROMPT, batch=4, warmup=1, seed=0, repairs=0.0)


@given(text=st.text(st.characters(exclude_categories=["Cs"]), max_size=40))
def test_any_text_survives_the_tokenizer(lessons: Lessons, text: str) -> None:
    ids = lessons.tokenizer.encode(text, add_special_tokens=False)
    assert lessons.tokenizer.decode(ids) == text


@pytest.mark.parametrize("label", ["+", "-"])
def test_the_labels_of_a_reward_model_are_single_tokens(lessons: Lessons, label: str) -> None:
    assert len(lessons.tokenizer.encode(label, add_special_tokens=False)) == 1


def test_a_prefix_of_whole_steps_keeps_its_tokens(lessons: Lessons) -> None:
    found = problem("bars-1")
    text = write(found.plan, found.paths[0].beliefs)
    steps = text.split(STEP_SEPARATOR)
    whole = lessons.tokenizer.encode(text, add_special_tokens=False)
    for k in range(1, len(steps)):
        prefix = STEP_SEPARATOR.join(steps[:k]) + STEP_SEPARATOR
        ids = lessons.tokenizer.encode(prefix, add_special_tokens=False)
        assert whole[: len(ids)] == ids


def test_only_the_answer_is_learnt(lessons: Lessons) -> None:
    batch = next(iter(lessons))
    assert batch["pixel_values"].shape == (4, 3, 144, 144)
    for ids, labels in zip(batch["input_ids"].tolist(), batch["labels"].tolist(), strict=True):
        learnt = [token for token in labels if token != IGNORED]
        start = next(k for k, token in enumerate(labels) if token != IGNORED)
        assert ids[start : start + len(learnt)] == learnt
        assert lessons.tokenizer.decode(ids[:start]).endswith("<|im_start|>assistant\n")
        assert learnt[-1] == lessons.tokenizer.eos_token_id


def test_the_lessons_are_the_same_every_time(lessons: Lessons) -> None:
    assert next(iter(lessons))["input_ids"].tolist() == next(iter(lessons))["input_ids"].tolist()


def test_the_picture_stands_in_the_prompt_once_or_expanded() -> None:
    assert chat_prompt("?", expand=False).count("<IMG_CONTEXT>") == 1
    assert chat_prompt("?").count("<IMG_CONTEXT>") == 16


def test_the_rate_rises_then_falls_to_nothing() -> None:
    assert learning_rate(0, 0.0, 1.0) < learning_rate(100, 0.01, 1.0) < learning_rate(200, 0.02, 1.0)
    assert learning_rate(1000, 1.0, 1.0) == pytest.approx(0)


def test_pass_at_k() -> None:
    assert pass_at(1, 16, 4) == pytest.approx(0.25)
    assert pass_at(16, 16, 1) == 1
    assert pass_at(8, 16, 0) == 0


def test_the_vote_goes_to_the_most_frequent_answer_and_then_to_the_earliest() -> None:
    texts = [f"Final answer: {answer}" for answer in "3557"]
    assert vote(texts) == texts[1]
    assert vote(texts[::3]) == texts[0]


def test_wrong_prefixes_begin_at_the_first_mistake() -> None:
    found = next(p for p in (problem(f"bars-{k}") for k in range(99)) if len(p.paths) > 1)
    path = found.paths[1]
    text = write(found.plan, path.beliefs)
    prefixes, kind = wrong_prefixes(found, text)
    first = [node.key for node in found.plan.nodes].index(path.mistakes[0])
    assert len(prefixes) == len(found.plan.nodes) - first
    assert kind in {"reading", "arithmetic"}
    assert not is_right(found, text)
    assert wrong_prefixes(found, write(found.plan, found.paths[0].beliefs)) == ([], None)
