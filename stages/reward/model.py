"""A process reward model: a score for every step of a solution, in one forward pass (arXiv 2503.10291, section 4).

The logits before each slot, at the labels' ids alone, give the labels' probabilities; the score is the expectation
of their weights. Conversations and tensors are made by the trainer's own functions (`stages/reward/render.py`,
`stages/reward/collate.py`), so a model is shown here what it was shown there.
"""

from __future__ import annotations

import contextlib
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from pipeline.errors import RowError, UserError
from pipeline.inputs import located, searched
from pipeline.model_files import is_hub_id
from pipeline.prompts import prompt_file
from pipeline.records import IMAGE, SEPARATOR
from stages.reward.beta import StepScores, concentration, intervals_of
from stages.reward.collate import Pictures, collate, prepare
from stages.reward.config import FILE, UNTRAINED, PrmConfig
from stages.reward.render import FIRST_TURN, Layout, Rendering, expand, image_token_id, label_ids, render
from stages.reward.weights import load_weights, loading_errors

SYSTEM = prompt_file("prm_system_v1.txt")


@dataclass(frozen=True, slots=True)
class Candidate:
    """A solution to score: question, encoded images, steps without separators.

    `response` is the text that the steps were cut from, where it is known: what an outcome model reads. By default there
    is a blank line between two steps. `context` are the indices of steps that the model reads, but did not learn to judge:
    those of the other part, where its dataset measured one part of the responses.
    """

    question: str
    images: tuple[bytes, ...]
    steps: tuple[str, ...]
    response: str | None = None
    context: frozenset[int] = frozenset()

    def without_context(self, scores: Sequence[float]) -> list[float | None]:
        """The scores of the steps, null for those that are `context`; an outcome model's one score stays."""
        if len(scores) != len(self.steps):
            return list(scores)
        return [None if index in self.context else score for index, score in enumerate(scores)]

    def bounds(self, scores: Sequence[float]) -> tuple[list[float | None] | None, list[float | None] | None]:
        """The lower and the upper ends of the steps' intervals, like `without_context`; null from a model that gives none."""
        if (found := intervals_of(scores)) is None:
            return None, None
        low, high = zip(*found, strict=True)
        return self.without_context(low), self.without_context(high)

    @property
    def text(self) -> str:
        return SEPARATOR.join(self.steps) if self.response is None else self.response


def check_steps(steps: Sequence[str]) -> None:
    """For steps that others cut: a model has a score for an empty one too, which means nothing.

    Raises:
        RowError: a step has no visible character.
    """
    for number, step in enumerate(steps, start=1):
        if not step.strip():
            raise RowError("empty_step", f"step {number} of {len(steps)} is empty")


class Scorer(Protocol):
    """What scores solutions: `ProcessRewardModel`, or the same model on vLLM."""

    name: str
    config: PrmConfig

    def score_many(self, candidates: Sequence[Candidate]) -> list[list[float] | RowError]:
        """Each candidate's scores, one a step (an outcome model: one in all), or why it has none.

        Those of a model that learnt counts are `StepScores`, which have intervals.
        """


def read_config(path: str, like: str | None = None) -> PrmConfig:
    """The `prm_config.json` of a folder or hub id; a model without one becomes a baseline critic.

    Args:
        like: a reward model's folder or hub id, whose conversations a model without a file of its own is shown, so
            that the two can be compared; by default the layout of the published corpora.

    Raises:
        UserError: no model is there, or a file is not understood.
    """
    if (found := PrmConfig.find(path)) is not None:
        if like is not None:
            raise UserError(f"{path}: is a reward model with its own {FILE}: --like is for models without one")
        return found
    place = located(path)
    if not is_hub_id(place) and not (Path(place) / "config.json").is_file():
        places = "" if Path(place).exists() else searched(path)
        raise UserError(f"{path}: holds no model (no config.json){places}: give a folder that `visualprm train` wrote")
    untrained: dict[str, Any] = {"max_tokens": 2**20, "base_model": path, "data_fingerprint": UNTRAINED}
    if like is not None:
        if (shown := PrmConfig.find(like)) is None:
            raise UserError(f"--like {like}: holds no {FILE}: give a reward model")
        return shown.model_copy(update={**untrained, "training": {}, "metrics": {}})
    return PrmConfig(
        kind="prm",
        target="value",
        label_weights={"+": 1.0, "-": 0.0},
        first_turn=FIRST_TURN,
        system=SYSTEM.read_text(encoding="utf-8").strip(),
        **untrained,
    )


class Reader:
    """What is particular to a reward model but not to what runs it: how solutions are shown, how scores are read."""

    def __init__(self, processor: Any, config: PrmConfig) -> None:
        self.processor = processor
        self.config = config
        self.layout = Layout(config.labels, config.placeholder, config.first_turn, config.system)
        self.label_ids = label_ids(processor, self.layout)
        self.image_id = image_token_id(processor)

    def render(self, candidate: Candidate) -> Rendering:
        """The conversation; an outcome model sees the response as one step.

        Raises:
            RowError: there is nothing to score, or an image is missing.
        """
        if not any(step.strip() for step in candidate.steps):
            raise RowError("no_step", "the solution is empty")
        if (wanted := candidate.question.count(IMAGE)) > (given := len(candidate.images)):
            raise RowError("missing_image", f"the question has {wanted} {IMAGE}, and {given} images are given")
        steps = candidate.steps if self.config.kind == "prm" else (candidate.text,)
        return render(self.processor, candidate.question, len(candidate.images), steps, self.layout)

    def expectation(self, logits: Any, heights: bool = True) -> list[float] | RowError:
        """Scores from the labels' logits [N, labels], with intervals from a model that learnt counts; an error where the
        model gives no number.

        Args:
            heights: false for log-probabilities, which don't say how high the logits stood: then there are no intervals.
        """
        import torch

        weights = torch.tensor(list(self.config.label_weights.values()), device=logits.device)
        scores: list[float] = (logits.float().softmax(dim=-1) @ weights).tolist()
        if all(map(math.isfinite, scores)):
            if not (heights and self.config.gives_intervals):
                return scores
            sure = concentration(logits.float().logsumexp(dim=-1)) * self.config.concentration_scale
            return StepScores(scores, sure.tolist())
        return RowError(
            "not_finite", "the model's output is not a finite number: check its weights and its number type"
        )


class ProcessRewardModel:
    """A reward model on `transformers`.

    Scores of a batch equal those of single solutions up to rounding, in any order.
    """

    def __init__(
        self, model: Any, processor: Any, config: PrmConfig, name: str = "", batch_tokens: int = 16384
    ) -> None:
        """`batch_tokens` bounds a forward pass: padded rows times columns, images expanded."""
        self.name = name
        self.config = config
        self._model = model.eval()
        self._reader = Reader(processor, config)
        self._batch_tokens = batch_tokens
        self._longest = getattr(model.config.get_text_config(), "max_position_embeddings", None)

    @classmethod
    def from_pretrained(
        cls,
        path: str,
        device: str | None = None,
        dtype: str | None = None,
        batch_tokens: int = 16384,
        like: str | None = None,
    ) -> ProcessRewardModel:
        """Loads a folder or hub id: by default on the GPU in bfloat16 where there is one, else on the CPU in float32.

        A model without `prm_config.json` is loaded as a critic that was not trained for it, read as the reward model
        `like` is (`read_config`).

        Raises:
            UserError: there is no such model, its weights are not all there, or its config, tokenizer or chat
                template can't be used.
        """
        import torch
        from transformers import AutoProcessor

        config = read_config(path, like)
        device = device or ("cuda" if torch.cuda.is_available() else "cpu")
        dtype = dtype or ("bfloat16" if device.startswith("cuda") else "float32")
        place = located(path)
        with loading_errors(path):
            processor = AutoProcessor.from_pretrained(place)
        model = load_weights(place, path, dtype=dtype).to(device)
        return cls(model, processor, config, path, batch_tokens)

    def score(self, question: str, images: Sequence[bytes], steps: Sequence[str]) -> list[float]:
        """The scores of one solution: one a step (an outcome model: one in all).

        Raises:
            RowError: it can't be scored.
        """
        (found,) = self.score_many([Candidate(question, tuple(images), tuple(steps))])
        if isinstance(found, RowError):
            raise found
        return found

    def score_many(self, candidates: Sequence[Candidate]) -> list[list[float] | RowError]:
        """See `Scorer`."""
        found: list[list[float] | RowError | None] = [None] * len(candidates)
        ready: list[tuple[int, Rendering, Pictures]] = []
        # Solutions of one problem come together: its images are decoded once.
        shown: dict[tuple[bytes, ...], Pictures] = {}
        for index, candidate in enumerate(candidates):
            try:
                ready.append((index, *self._prepare(candidate, shown)))
            except RowError as error:
                found[index] = error
        for batch in _batches(ready, self._batch_tokens):
            scores = self._forward([rendering for _, rendering, _ in batch], [pictures for *_, pictures in batch])
            for (index, *_), own in zip(batch, scores, strict=True):
                found[index] = own
        return [each for each in found if each is not None]

    def _prepare(self, candidate: Candidate, shown: dict[tuple[bytes, ...], Pictures]) -> tuple[Rendering, Pictures]:
        rendering = self._reader.render(candidate)
        if (pictures := shown.get(candidate.images)) is None:
            with image_errors():
                pictures = shown[candidate.images] = prepare(self._reader.processor, candidate.images)
        expanded = expand(rendering, self._reader.image_id, pictures.spans)
        if self._longest is not None and len(expanded.token_ids) > self._longest:
            raise RowError("too_long", f"{len(expanded.token_ids)} tokens, the model reads {self._longest}")
        return expanded, pictures

    def _forward(self, renderings: Sequence[Rendering], pictures: Sequence[Pictures]) -> list[list[float] | RowError]:
        import torch

        inputs = collate(self._reader.processor, [rendering.token_ids for rendering in renderings], pictures)
        inputs = {
            name: value.to(self._model.device, self._model.dtype if value.is_floating_point() else None)
            for name, value in inputs.items()
        }
        # The vocabulary's logits are the largest tensor by far: only positions before slots are asked for.
        positions = sorted({slot - 1 for rendering in renderings for slot in rendering.slots})
        column = {position: index for index, position in enumerate(positions)}
        keep = torch.tensor(positions, device=self._model.device)
        with torch.inference_mode():
            logits = self._model(**inputs, logits_to_keep=keep, use_cache=False).logits[
                ..., list(self._reader.label_ids)
            ]
        return [
            self._reader.expectation(logits[row, [column[slot - 1] for slot in rendering.slots]])
            for row, rendering in enumerate(renderings)
        ]


@contextlib.contextmanager
def image_errors() -> Iterator[None]:
    """Turns what Pillow raises for a broken image into a RowError."""
    import PIL.Image

    try:
        yield
    except (OSError, SyntaxError, ValueError, PIL.Image.DecompressionBombError) as error:
        raise RowError("bad_image", f"{type(error).__name__}: {error}") from error


def _batches(
    ready: Sequence[tuple[int, Rendering, Pictures]], most: int
) -> Iterator[list[tuple[int, Rendering, Pictures]]]:
    """Neighbours in length, as many as fit into `most` padded tokens, at least one."""
    batch: list[tuple[int, Rendering, Pictures]] = []
    for item in sorted(ready, key=lambda item: len(item[1].token_ids)):
        if batch and (len(batch) + 1) * len(item[1].token_ids) > most:
            yield batch
            batch = []
        batch.append(item)
    if batch:
        yield batch
