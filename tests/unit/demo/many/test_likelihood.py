"""The policy's probability of steps, against a forward pass over the whole conversation."""

from __future__ import annotations

import math

import pytest
import torch

from demo.many.likelihood import Likelihood
from stages.reward.collate import collate, prepare
from stages.reward.model import Candidate
from stages.reward.render import Layout, expand, image_token_id, render
from tests.families import family
from tests.unit.stages.reward.test_collate import IMAGES
from tests.unit.stages.reward.test_model import config

FIRST_TURN = "{question}\nSolve."


def test_steps_have_the_probability_of_their_tokens() -> None:
    model, processor = family("demo")
    one = Candidate("How many?", (IMAGES[0],), ("red = 3.", "3 + 4 = 7.", "Final answer: 7"))
    short = Candidate("Why?", (), ("blue = 1.",))
    scorer = Likelihood(model, processor, config(first_turn=FIRST_TURN, system=None))
    found, alone = scorer.score_many([one, short])
    pictures = prepare(processor, one.images)
    layout = Layout(first_turn=FIRST_TURN)
    rendering = expand(render(processor, one.question, 1, one.steps, layout), image_token_id(processor), pictures.spans)
    ids = torch.tensor(rendering.token_ids)
    with torch.inference_mode():
        logits = model(**collate(processor, [rendering.token_ids], [pictures])).logits[0]
    log_probs = logits.float().log_softmax(-1)[:-1].gather(-1, ids[1:, None])[:, 0]
    text = "<|im_start|>assistant\n"
    header = processor.tokenizer(text, add_special_tokens=False)["input_ids"]
    begin = next(k for k in range(len(ids), 0, -1) if rendering.token_ids[k - len(header) : k] == tuple(header))
    whole = float(log_probs[begin - 1 : rendering.slots[-1]].sum())
    assert isinstance(found, list)
    assert len(found) == 3
    assert math.log(math.prod(found)) == pytest.approx(whole, rel=1e-3)
    assert isinstance(alone, list)
    assert alone == pytest.approx(scorer.score(short.question, short.images, short.steps), rel=1e-3)
