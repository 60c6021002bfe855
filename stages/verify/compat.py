"""The reference pipeline's decisions, its defects included, to compare with released data.

What InternVL's `reasoning_data_pipeline` does (v1.1 of VisualPRM400K) is described in its own words here. Known
defects that are kept: `anls` scores the distance instead of the similarity; an answer that is nothing but
punctuation loses what math-verify gave it; years before 2000 may be 5 % off; a response without a box is its own
answer. Not kept: `latex_score` needs another version of antlr than math-verify does, so both sides go
through math-verify's LaTeX parser here.

Nothing is limited here: for files that one trusts. `VerifierPool.verify_reference` decides the same with limits.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal, get_args

from pipeline.records import Verdict
from stages.verify.finding import Finding
from stages.verify.modes.anls import distance

ReferenceMode = Literal[
    "math_verify_score", "vqa_score", "relaxed_accuracy", "anls", "mc_score", "math_score", "latex_score"
]
"""In the order in which the reference adds them up."""
PromptVersion = Literal["en", "zh", "en_v2", "zh_v2", "en_r1", "zh_r1"]

ACCEPTED = 0.9
"""A score above this is right."""
_SHAPES: tuple[ReferenceMode, ...] = ("relaxed_accuracy", "vqa_score", "mc_score", "math_verify_score")
_FILE_MODES: tuple[tuple[tuple[str, ...], tuple[ReferenceMode, ...]], ...] = (
    (("chartqa",), ("relaxed_accuracy",)),
    (("docvqa", "infographics"), ("anls",)),
    (("SROIE", "CLEVR_math", "geos", "geometry"), _SHAPES),
    (("mavis",), ("vqa_score", "mc_score", "math_score", "latex_score", "math_verify_score")),
)
_OTHER_FILES: tuple[ReferenceMode, ...] = ("vqa_score", "mc_score", "math_score", "math_verify_score")


def reference_modes(file_name: str) -> tuple[ReferenceMode, ...]:
    """The modes that the reference derives from a prompt file's name; the first matching part of the name counts."""
    for parts, modes in _FILE_MODES:
        if any(part in file_name for part in parts):
            return modes
    return _OTHER_FILES


def prompt_version(prompt: str) -> PromptVersion:
    """The reference's prompt version whose answers look as those that this prompt asks for."""
    if "<think>" in prompt:
        return "en_r1"
    return "en_v2" if "\\boxed" in prompt else "en"


@dataclass(frozen=True, slots=True)
class ReferenceComparison:
    """All that the reference's comparison depends on."""

    gold: str
    answer: str
    modes: tuple[ReferenceMode, ...]


def judge_internvl(gold: str, response: str, modes: Sequence[ReferenceMode], prompt_version: PromptVersion) -> Verdict:
    """The reference's verdict; `mode` is the one that gave the deciding score."""
    comparison = find_comparison(gold, response, modes, prompt_version)
    if isinstance(comparison, Verdict):
        return comparison
    return verdict(comparison, compare(comparison.gold, comparison.answer, comparison.modes))


def find_comparison(
    gold: str, response: str, modes: Sequence[ReferenceMode], prompt_version: PromptVersion
) -> ReferenceComparison | Verdict:
    """What is to be compared, or at once the verdict where nothing is."""
    answer = parse_answer(response, prompt_version)
    if answer is None:
        return Verdict("no_answer", None, None, "the reference finds no answer")
    if answer.lower() == gold.lower():
        return Verdict("correct", answer, "exact", "equal but for case")
    return ReferenceComparison(gold, answer, tuple(modes))


def compare(gold: str, answer: str, modes: Sequence[ReferenceMode]) -> Finding:
    """Whether the best score over `modes` is enough. The reason is `mode score`, or the score alone if it is 0."""
    score, decided = _score(answer, gold, modes)
    return Finding(score > ACCEPTED, f"{decided} {score:.2f}" if decided else f"{score:.2f}")


def verdict(comparison: ReferenceComparison, found: Finding) -> Verdict:
    """The verdict that a comparison gives."""
    mode, _, score = found.reason.rpartition(" ")
    if found.equal:
        return Verdict("correct", comparison.answer, mode, f"score {score}")
    return Verdict("incorrect", comparison.answer, None, f"score {score}")


def parse_answer(response: str, prompt_version: PromptVersion) -> str | None:
    """The answer that the reference reads in a response, or None where it gives up."""
    if prompt_version in ("en", "zh"):
        return _after_trigger(response)
    if prompt_version in ("en_v2", "zh_v2"):
        return _last_box(response) if len(response) > 20 else None
    thoughts, end, said = response.partition("</think>")
    once = response.count("<think>") == 1 and response.count("</think>") == 1 and "<think>" in thoughts
    if not end or not once or "\\boxed{" not in said or len(thoughts.partition("<think>")[2]) <= 20:
        return None
    return _last_box(said)


def _after_trigger(response: str) -> str | None:
    trigger = next((word for word in ("Final answer:", "Final Answer:") if word in response), "答案:")
    if not 1 <= response.count(trigger) <= 2 or response.count("\n") < 2:
        return None
    rationale, answer = (part.strip() for part in response.rsplit(trigger, 1))
    return answer if rationale and "\n" not in answer else None


def _last_box(text: str) -> str:
    r"""What the last `\boxed{` holds, escaped braces counting as braces; the whole text without such a box."""
    start = text.rfind("\\boxed{")
    if start < 0:
        return text
    start += len("\\boxed{")
    depth = 1
    for index in range(start, len(text)):
        depth += (text[index] == "{") - (text[index] == "}")
        if depth == 0:
            return text[start:index]
    return text


def _score(answer: str, gold: str, modes: Sequence[ReferenceMode]) -> tuple[float, ReferenceMode | None]:
    score, decided = 0.0, None
    for mode in get_args(ReferenceMode):
        if mode not in modes:
            continue
        if (found := _RULES[mode](answer, gold)) > score:
            score, decided = found, mode
        if mode == "vqa_score" and not (vqa_text(answer) and vqa_text(gold)):
            score, decided = 0.0, None
    return score, decided


def _math_verify(answer: str, gold: str) -> float:
    from math_verify import ExprExtractionConfig, LatexExtractionConfig, StringExtractionConfig, parse, verify

    kinds = [StringExtractionConfig(), LatexExtractionConfig(), ExprExtractionConfig()]
    try:
        target = parse(gold, parsing_timeout=None)
        return float(verify(target, parse(answer, kinds, parsing_timeout=None), timeout_seconds=None))
    except Exception:
        # The reference counts every failure of math-verify as a wrong answer.
        return 0.0


def _vqa(answer: str, gold: str) -> float:
    return float(vqa_text(answer) == vqa_text(gold))


_VQA_PUNCTUATION = ';/[]"{}()=+\\_->@`,?!<'
_VQA_NUMBERS = {"none": "0"} | {
    word: str(number)
    for number, word in enumerate(
        ["zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten"]
    )
}
_NEGATED = ["are", "ca", "could", "did", "does", "do", "had", "has", "have", "is", "might", "must", "need", "should", "was",
            "were", "wo", "would", "ai", "ought", "sha"]  # fmt: skip
_VQA_CONTRACTIONS = {f"{stem}nt": f"{stem}n't" for stem in _NEGATED} | {
    f"{stem}{ending}": f"{stem}'{ending}"
    for ending, stems in {
        "ve": ["could", "might", "should", "would", "not", "they", "we", "who", "what", "you"],
        "re": ["there", "they", "what", "why", "you"],
        "ll": ["how", "it", "they", "what", "who", "why", "you", "somebody", "someone", "something"],
        "d": ["he", "how", "it", "there", "they", "who", "you", "someone", "something"],
    }.items()
    for stem in stems
}
_VQA_CONTRACTIONS |= {
    "maam": "ma'am", "oclock": "o'clock", "twas": "'twas", "yall": "y'all", "somebody'd": "somebodyd"
}  # fmt: skip


def vqa_text(text: str) -> str:
    """The VQA challenge's normal form: a sign with a blank beside it goes, any other becomes a blank."""
    text = text.lower().replace(",", "").replace("?", "").replace("'s", " 's").strip()
    text = text.replace("\n", " ").replace("\t", " ").strip()
    original = text
    for sign in _VQA_PUNCTUATION:
        beside_blank = f"{sign} " in original or f" {sign}" in original
        text = text.replace(sign, "" if beside_blank else " ")
    text = re.sub(r"\.(?!\d)", "", text, count=32)
    words = [_VQA_NUMBERS.get(word, word) for word in text.split()]
    return " ".join(_VQA_CONTRACTIONS.get(word, word) for word in words if word not in ("a", "an", "the"))


def _relaxed(answer: str, gold: str) -> float:
    if len(gold) == 4 and gold.startswith("20"):
        return 0.0
    given, wanted = (_float(side.rstrip("%") if side.endswith("%") else side) for side in (answer, gold))
    return _near(given, wanted, 0.05)


def _anls(answer: str, gold: str) -> float:
    wanted, given = (" ".join(side.strip().lower().split()) for side in (gold, answer))
    return distance(wanted, given) / max(len(gold), len(answer))


def _choice(answer: str, gold: str) -> float:
    answer = answer.strip()
    if answer.lower() == gold.strip().lower():
        return 1.0
    if answer[1:2] == ".":
        answer = answer[0]
    elif answer[:1] == "(" and answer[2:3] == ")":
        answer = answer[1]
    return float(answer.lower() == gold.strip().lower())


def _number(answer: str, gold: str) -> float:
    for unit in ("degrees", "degree", "\\angle", "°", "%", "cm"):
        answer, gold = answer.replace(unit, ""), gold.replace(unit, "")
    return _near(_float(answer), _float(gold), 1e-3)


def _near(answer: float | None, gold: float | None, tolerance: float) -> float:
    """Whether two numbers differ by at most a share of the gold; zero is near nothing."""
    if answer is None or not gold:
        return 0.0
    return float(abs(answer - gold) / abs(gold) <= tolerance)


def _float(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None


_FRACTION = re.compile(r"\s*\d+\s*/\s*\d+\s*")


def _latex(answer: str, gold: str) -> float:
    if not any("\\" in side or _FRACTION.fullmatch(side) for side in (answer, gold)):
        return 0.0
    from latex2sympy2_extended import latex2sympy

    try:
        left, right = latex2sympy(answer), latex2sympy(gold)
        return float(bool(left.equals(right)))
    except Exception:
        # As in the reference, what can't be parsed or compared is not equal.
        return 0.0


_RULES: dict[ReferenceMode, Callable[[str, str], float]] = {
    "math_verify_score": _math_verify,
    "vqa_score": _vqa,
    "relaxed_accuracy": _relaxed,
    "anls": _anls,
    "mc_score": _choice,
    "math_score": _number,
    "latex_score": _latex,
}
