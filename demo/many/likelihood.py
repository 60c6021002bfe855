"""The policy itself as a critic: how likely it was to write each step, in one forward pass and without a training.

A step's score is the probability of its tokens given all that stands before them; so their product, the aggregate
`product` or as a logarithm `sum_log`, is the probability of the whole response (token by token as its text is cut now).
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from itertools import pairwise
from typing import Any

from demo.many.rules import PRIOR
from demo.model import START
from demo.reproduction.tasks import POLICY
from pipeline.command_line.ending import one_line_errors
from pipeline.errors import RowError, UserError
from stages.best_of_n.scores import score_pool
from stages.reward.collate import Pictures, collate
from stages.reward.model import ProcessRewardModel
from stages.reward.render import Rendering


class Likelihood(ProcessRewardModel):
    """Reads solutions as a reward model does whose layout has the solution in the assistant's turn, as the policy wrote it."""

    @classmethod
    def as_shown_to(cls, critic: str, policy: str = POLICY) -> Likelihood:
        """The policy, shown what this reward model is shown.

        Raises:
            UserError: the model writes labels between the steps, which the policy never did.
        """
        found = cls.from_pretrained(policy, like=critic)
        assert isinstance(found, Likelihood)
        if not found._reader.layout.inline:
            raise UserError(
                f"{critic}: shows steps as turns of their own: give a model whose first_turn has {{question}} alone"
            )
        return found

    def _forward(self, renderings: Sequence[Rendering], pictures: Sequence[Pictures]) -> list[list[float] | RowError]:
        import torch

        inputs = collate(self._reader.processor, [rendering.token_ids for rendering in renderings], pictures)
        starts = [self._begins(rendering) for rendering in renderings]
        keep = torch.arange(min(starts) - 1, inputs["input_ids"].shape[1] - 1)
        with torch.inference_mode():
            logits = self._model(**inputs, logits_to_keep=keep, use_cache=False).logits.float()
        wrote = inputs["input_ids"][:, keep + 1]
        log_probs = torch.log_softmax(logits, -1).gather(-1, wrote[..., None])[..., 0]
        return [
            _steps(log_probs[row], start, rendering.slots, int(keep[0]) + 1)
            for row, (start, rendering) in enumerate(zip(starts, renderings, strict=True))
        ]

    def _begins(self, rendering: Rendering) -> int:
        """The index of the solution's first token: behind the header of the last turn."""
        tokenizer = self._reader.processor.tokenizer
        header = tokenizer(f"{START}assistant\n", add_special_tokens=False)["input_ids"]
        before = rendering.token_ids[: rendering.slots[-1]]
        return len(before) - before[::-1].index(header[0]) - 1 + len(header)


def _steps(log_probs: Any, start: int, slots: Sequence[int], first: int) -> list[float]:
    """P of each step; the last one has the token that ends the turn, too. `log_probs[k]` is of the token at `first + k`."""
    ends = [start, *slots[:-1], slots[-1] + 1]
    return [float(log_probs[begin - first : end - first].sum().exp()) for begin, end in pairwise(ends)]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("pool", help="a pool's folder: the scores go beside it, as a critic's")
    parser.add_argument(
        "--as", dest="critic", required=True, help="the reward model whose conversations the policy is shown"
    )
    options = parser.parse_args()
    score_pool(
        options.pool, [f"{PRIOR}={POLICY}"], lambda _: Likelihood.as_shown_to(options.critic), like=options.critic
    )


if __name__ == "__main__":
    with one_line_errors("likelihood"):
        main()
