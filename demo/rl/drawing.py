"""Draws from a policy with transformers, and how much likelier it finds them than the policy that it was made from."""

from __future__ import annotations

import io
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

from demo.benchmark import DemoProblem
from demo.rl.train import conversation

AT_ONCE = 120
"""Responses that are drawn at a time."""


class Draw(NamedTuple):
    """A response; its length in tokens, whether it ended by itself, and log p(policy) − log p(start) of all its tokens."""

    text: str
    tokens: int
    ended: bool
    log_ratio: float


def draw(
    policy: Path, start: Path, found: Sequence[DemoProblem], count: int, max_tokens: int, seed: int
) -> list[list[Draw]]:
    """`count` draws at temperature 1 for every problem.

    The mean of `log_ratio` over draws estimates the Kullback-Leibler divergence of the policy from its start, in nats.
    """
    import torch
    from PIL import Image
    from transformers import AutoModelForImageTextToText, AutoProcessor

    torch.manual_seed(seed)
    models = [AutoModelForImageTextToText.from_pretrained(one, dtype="float32").eval() for one in (policy, start)]
    processor = AutoProcessor.from_pretrained(start)
    drawn: list[list[Draw]] = []
    with torch.no_grad():
        for first in range(0, len(found), max(1, AT_ONCE // count)):
            some = found[first : first + max(1, AT_ONCE // count)]
            texts = [
                processor.apply_chat_template(
                    [{**turn, "content": [{"type": "image"}, {"type": "text", "text": turn["content"]}]}
                     for turn in conversation(one.question)],
                    add_generation_prompt=True,
                )
                for one in some
            ]  # fmt: skip
            pictures = [Image.open(io.BytesIO(one.image())).convert("RGB") for one in some]
            batch = processor(text=texts, images=pictures, padding=True, padding_side="left", return_tensors="pt")
            # Everything but temperature 1 is switched off, as in training.
            ids = models[0].generate(
                **batch, do_sample=True, temperature=1.0, top_k=0, top_p=1.0,
                max_new_tokens=max_tokens, num_return_sequences=count,
            )  # fmt: skip
            flat = _read(models, batch, ids, count, processor.tokenizer)
            drawn += [flat[k : k + count] for k in range(0, len(flat), count)]
    return drawn


def _read(models: Sequence[Any], batch: Any, ids: Any, count: int, tokenizer: Any) -> list[Draw]:
    """The draws of one batch, `ids` being prompts and responses of shape (problems × count, length)."""
    import torch

    begin = batch["input_ids"].shape[1]
    response = ids[:, begin:]
    ends = (response == tokenizer.eos_token_id).long()
    # The first end is a part of the response, what comes after it is not.
    inside = ends.cumsum(dim=1) - ends == 0
    mask = torch.cat([batch["attention_mask"].repeat_interleave(count, dim=0), inside.long()], dim=1)
    pixels = batch["pixel_values"].repeat_interleave(count, dim=0)
    likely = []
    for model in models:
        logits = model(
            input_ids=ids,
            attention_mask=mask,
            pixel_values=pixels,
            use_cache=False,
            logits_to_keep=response.shape[1] + 1,
        ).logits[:, :-1]
        chosen = logits.log_softmax(dim=-1).gather(-1, response.unsqueeze(-1)).squeeze(-1)
        likely.append((chosen * inside).sum(dim=1))
    ratio = (likely[0] - likely[1]).tolist()
    texts = tokenizer.batch_decode(response, skip_special_tokens=True)
    lengths, ended = inside.sum(dim=1).tolist(), ends.any(dim=1).tolist()
    return [Draw(*one) for one in zip(texts, lengths, ended, ratio, strict=True)]
