"""Judging in words: what is read out of answers, and what a prompted critic asks."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.config import EngineConfig, SamplingConfig
from pipeline.engine import Completion, Prompt
from pipeline.engine.scripted import ScriptedEngine
from pipeline.errors import RowError, UserError
from pipeline.prompts import prompt_file
from pipeline.settings import parse_settings
from stages.evaluate.critic import Item, Judged
from stages.evaluate.open_critic import DEFAULT_PROMPTS, CriticConfig
from stages.evaluate.prompted import REASON_CHARACTERS, PromptedCritic
from stages.evaluate.verdicts import read_all, read_one
from stages.judge.answer import longest

ITEM = Item("What is <image>?", (b"picture",), ("First\n\nstep {question}", "An <image> here", "Last"))


@pytest.mark.parametrize(
    ("text", "verdict"),
    [
        ("Verdict: correct", 1.0),
        ("verdict: INCORRECT.", 0.0),
        ("**Verdict:** correct", 1.0),
        ("**Verdict**: *incorrect*", 0.0),
        ("It looks wrong at first.\nVerdict: correct", 1.0),
        ("Verdict: correct\nOn reflection:\nVerdict: incorrect", 0.0),
        ("The step is not correct.", 0.0),
        ("This step is correct.", 1.0),
        ("Correct", 1.0),
        (r"\boxed{incorrect}", 0.0),
        (r"So $\boxed{\text{correct}}$", 1.0),
        ("<think>it is incorrect</think>Verdict: correct", 1.0),
        ("❌", 0.0),
        ("Verdict: **not** correct", 0.0),
        ("This step is correct because it follows.", 1.0),
        ("It might be correct or incorrect.", None),
        ("It is not a correct step.", None),
        ("I don't think this step is correct.", None),
        ("That is not wrong.", None),
        ("It would be correct if the picture showed 3.", None),
        ("The correct value is 4.", None),
        ("<think>Verdict: correct. But", None),
        ("Verdict: correct\nHmm.\nVerdict: the step is incorrect", 0.0),
        ("Verdict: correct\nHmm.\nVerdict: partially correct", None),
        ("Verdict: correct/incorrect", None),
        ("Verdict: incorrect\nCorrect answer: True", 0.0),
        ('{"correct": false}', 0.0),
        ("Correct, but the height is misread. So incorrect.", None),
        ("Answer: 12\nThis step is incorrect. It should be 5.", 0.0),
        ("The right triangle has legs 3 and 4.\nHard to say.", None),
        ("corrected", None),
        ("", None),
    ],
)
def test_one_verdict(text: str, verdict: float | None) -> None:
    assert read_one(text) == verdict


@pytest.mark.parametrize(
    ("text", "verdicts"),
    [
        ("Step 1: correct\nStep 2: incorrect\nStep 3: correct", [1, 0, 1]),
        ("**Step 1:** Correct\n**Step 2:** Incorrect\n- **Step 3**: wrong", [1, 0, 0]),
        ("1. correct\n2. not correct\n3) correct", [1, 0, 1]),
        ("| Step | Verdict |\n|---|---|\n| 1 | correct |\n| 2 | wrong |\n| 3 | correct |", [1, 0, 1]),
        ('{"1": "correct", "2": "incorrect", "3": "correct"}', [1, 0, 1]),
        ("Step 1: reads 3 + 4 = 7, which is right\nStep 2: so the sum is incorrect\nStep 3: follows", [None] * 3),
        ("Step 1: correct\nStep 3: incorrect", [1, None, 0]),
        ("Step 1: incorrect\nWait.\nStep 1: correct", [1, None, None]),
        ("Step 1:\nThe reading is fine.\nVerdict: correct\n\n### Step 2\n**Incorrect**", [1, 0, None]),
        ("Step 1: The bars are 3 and 4. - correct\nStep 2: No errors. Correct.\nStep 3 (sum): ❌", [1, 1, 0]),
        ("✅ Step 1\n❌ Step 2\n- [x] Step 3：correct", [1, 0, 1]),
        ("Step 1 is correct but step 2 is wrong. Step 3: correct", [1, 0, 1]),
        ("1. correct 2. incorrect 3. correct", [1, 0, 1]),
        ('[{"step": 1, "verdict": "correct"}, {"step": 2, "verdict": "incorrect"}]', [1, 0, None]),
        ("Step 2: The step is incorrect because the value should be 5.", [None, 0, None]),
        ("Step 1: correct\nStep 2: incorrect\n\nErrors:\n1. Step 2 is incorrect: 3 + 4 = 7.", [1, 0, None]),
        ("Step 1: correct\nStep 2: incorrect\nSo:\n1. Read 5.\n2. 5 + 7 = 12, which is correct.", [1, 0, None]),
        ("Step 1: Incorrect calculation, but the method is correct.\nStep 2: correct but incomplete", [0, None, None]),
        ("Step 1: correct or incorrect\nStep 2: correct/incorrect\nStep 3: correct?", [None] * 3),
        ("Step 1: There is nothing wrong.\nStep 2: far from correct\nStep 3: too vague to be right", [None] * 3),
        ("Step 3: incorrect because step 2 is wrong", [None, None, 0]),
        ("Step 1: incorrect\nStep 2: correct\n\nTherefore, the solution is incorrect.", [0, 1, None]),
        ("Step 1: incorrect\nStep 2: correct\n### Final verdict\nIncorrect", [0, 1, None]),
        ("### Step 3\n1. The student reads 5.\nStep 2 gave 12.\nVerdict: incorrect (should be 9)", [None, None, 0]),
        ("Step 1: correct\nStep 3: incorrect\n\nErrors:\n1. Incorrect sum in step 3", [1, None, 0]),
        ("All steps are correct, except for step 2, which is incorrect.", [None, None, None]),
        ('{"step": 1, "correct": true}, {"step": 2, "correct": false}', [1, 0, None]),
        ('Step 1: "Incorrect options are B, C" - correct\nStep 2: Option A: false. Option B: true.', [None] * 3),
        ("Step 2 is incorrect. Steps 1 and 3 are correct.", [1, 0, 1]),
        ("✅ Step 1, ❌ Step 2, ✅ Step 3", [1, 0, 1]),
        ("Step 1: correct. " + " " * 8000 + "x", [1, None, None]),
        ("Steps 1-2: correct\nStep 3: incorrect", [1, 1, 0]),
        ("Step 1: correct, Step 2: incorrect, Step 3: correct", [1, 0, 1]),
        ("| 1 | correct | 2 | wrong | 3 | correct |", [1, 0, 1]),
        ("Step 1: the student says 3 is correct\n2. The value 12 is wrong.", [None] * 3),
        ("Step 2: The height is 2: correct? No, it is incorrect", [None] * 3),
        ("Step 1: the legs are 2, 3: right\n3 + 4 = 7 is right", [1, None, None]),
        ("Step 1: correct value is 4\nStep 2: Right side first\nStep 3: incorrect due to step 2", [None, None, 0]),
        ("All steps are correct.", [1, 1, 1]),
        ("The labels are [1, -1, 1].", [1, 0, 1]),
        ('```json\n["correct", "incorrect", "correct"]\n```', [1, 0, 1]),
        ("[1, -1]", [None, None, None]),
        (f"[{'1' * 5000}, 1, 1]", [None, None, None]),
        ("Step 7: correct", [None, None, None]),
        ("Step 1: isn't correct\nStep 2: not entirely correct\nStep 3: cannot be correct", [None] * 3),
        ("Step 1: no longer valid\nStep 2: partly correct\nStep 3: the right side is 4", [None] * 3),
        ("Step 1: **not** correct\nStep 2: is not quite right\nStep 3: doesn't look right", [0, None, None]),
        ("I can't tell.", [None, None, None]),
        ("", [None, None, None]),
    ],
)
def test_all_verdicts(text: str, verdicts: list[float | None]) -> None:
    assert read_all(text, 3) == verdicts


@given(verdicts=st.lists(st.sampled_from([1.0, 0.0]), min_size=1, max_size=15), talk=st.text(max_size=30))
def test_what_the_prompt_asks_for_is_always_read(verdicts: list[float], talk: str) -> None:
    lines = [f"Step {number}: {'correct' if v else 'incorrect'}" for number, v in enumerate(verdicts, 1)]
    assert read_all("\n".join([talk.replace("</think>", ""), *lines]), len(verdicts)) == verdicts


@given(text=st.text(max_size=200), steps=st.integers(1, 5))
def test_no_answer_breaks_the_reader(text: str, steps: int) -> None:
    assert len(read_all(text, steps)) == steps
    assert read_one(text) in (None, 0.0, 1.0)


class Answers(ScriptedEngine):
    """Says what it is told to, and keeps what it was asked."""

    def __init__(self, *answers: str | RowError | Completion) -> None:
        super().__init__(EngineConfig(kind="scripted"))
        self.answers, self.asked, self.closed = list(answers), [], False

    def chat(self, text: str, num_images: int) -> tuple[int, ...]:
        self.asked.append((text, num_images))
        return super().chat(text, num_images)

    async def generate(
        self, prompt: Prompt, sampling: SamplingConfig, n: int, seed: int, max_tokens: int, *, stop: str | None = None
    ) -> list[Completion]:
        assert (n, sampling.top_k) == (1, 1)
        assert max_tokens == 64 if prompt.schema is None else longest(len(ITEM.steps), REASON_CHARACTERS)
        answer = self.answers.pop(0)
        if isinstance(answer, RowError):
            raise answer
        return [answer if isinstance(answer, Completion) else Completion((), answer, "stop", seed)]

    async def close(self) -> None:
        self.closed = True

    asked: list[tuple[str, int]]
    answers: list[str | RowError | Completion]


def critic(engine: Answers, judging: str) -> PromptedCritic:
    template = prompt_file(DEFAULT_PROMPTS[judging]).read_text()  # type: ignore[index]
    return PromptedCritic(engine, template, judging, 64, 1, in_flight=2, seed=0)  # type: ignore[arg-type]


def test_all_steps_in_one_answer() -> None:
    engine = Answers("Step 1: correct\nStep 3: incorrect", "no idea")
    asking = critic(engine, "all")
    assert asking.score_many([ITEM, ITEM]) == [
        Judged([1.0, None, 0.0], Counter(unparsable=1)),
        Judged([None, None, None], Counter(unparsable=3)),
    ]
    asking.close()
    assert engine.closed
    text, images = engine.asked[0]
    assert images == 1
    # Of all that a solution may hold, only the question has placeholders.
    assert text.count("<image>") == 1
    assert "Step 1: First\n\nstep {question}\n\nStep 2: An image here\n\nStep 3: Last" in text


def test_each_step_in_its_own_answer_sees_the_steps_before_it() -> None:
    engine = Answers("Verdict: correct", RowError("prompt_too_long"), "Verdict: incorrect")
    asking = critic(engine, "each")
    assert asking.score_many([ITEM]) == [Judged([1.0, None, 0.0], Counter(prompt_too_long=1))]
    asking.close()
    texts = [text for text, _ in engine.asked]
    assert ["Last" in text for text in texts] == [False, False, True]
    assert all(re.search(rf"number {number}:", text) for number, text in enumerate(texts, 1))
    assert "(none)" in texts[0]


def test_by_a_schema_it_is_asked_as_a_judge_and_neutral_is_no_score() -> None:
    said = [{"reason": "", "verdict": verdict, "category": "none"} for verdict in ("correct", "neutral", "incorrect")]
    whole, short = (json.dumps({"steps": steps}) for steps in (said, said[:2]))
    engine = Answers(whole, short, "Step 1: correct")
    asking = critic(engine, "schema")
    assert asking.score_many([ITEM] * 3) == [
        Judged([1.0, None, 0.0], Counter(neutral=1)),
        Judged([None] * 3, Counter(unparsable=3)),
        Judged([None] * 3, Counter(unparsable=3)),
    ]
    asking.close()
    text, _ = engine.asked[0]
    assert "Right answer" not in text
    assert "{answer}" not in text
    assert "Step 3: Last" in text


def test_a_token_limit_that_a_schema_does_not_heed_is_refused() -> None:
    assert parse_settings(CriticConfig, {"judging": "all", "max_tokens": 100}).max_tokens == 100
    with pytest.raises(UserError, match="max_tokens with judging=schema: the longest answer follows from the schema"):
        parse_settings(CriticConfig, {"judging": "schema", "max_tokens": 100})


@pytest.mark.parametrize("judging", ["all", "each", "schema"])
def test_an_answer_that_was_cut_has_no_verdict(judging: str) -> None:
    cut = Completion((), "Step 1: wrong, no: 3 + 4 = 7.\nThat is correct. Then", "length", 0)
    asking = critic(Answers(cut, cut, cut), judging)
    assert asking.score_many([ITEM]) == [Judged([None] * 3, Counter(truncated=3))]
    asking.close()


def test_two_batches_share_one_event_loop() -> None:
    asking = critic(Answers(*["Step 1: correct"] * 4), "all")
    items: Sequence[Item] = [Item("?", (), ("a",))] * 2
    assert asking.score_many(items) + asking.score_many(items) == [Judged([1.0])] * 4
    asking.close()
