"""Trains the demo policy from nothing: `python -m demo.train_policy --out demo/policy`.

First lesson: mostly list everything in the picture, without a mistake, which ties names and values to
places. Then: solutions with the mistakes of `demo.reasoning` in them, and a little listing, to keep it.
Problems of the train split are made and drawn on the fly; the same arguments give the same data.
"""

import argparse
import copy
import math
import random
import time
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import numpy as np
import torch
from torch.utils.data import DataLoader, IterableDataset
from transformers import InternVLForConditionalGeneration, PreTrainedTokenizerFast

from demo.benchmark import DemoProblem, stream
from demo.drawing import Canvas
from demo.model import (
    END,
    IMAGE,
    IMAGE_END,
    IMAGE_START,
    IMAGE_TOKENS,
    START,
    build_model,
    build_processor,
    build_tokenizer,
)
from demo.reasoning import listing, sample_solution
from pipeline.prompts import prompt_file

PROMPT_FILE = prompt_file("demo_v1.txt")
LISTING_PROMPT = "List everything."
FIRST_LISTING_SHARE, LISTING_SHARE = 0.75, 0.1
# enough problems that none is learnt by heart; each return of one has a new drawing and a new solution
POOL = 80_000
# Families are not equally hard to learn: the share of each one's problems that is used.
USED = {"compare": 1.0, "fraction": 0.6, "bars": 0.5}
USED_ELSE = 0.25
IGNORED = -100
# the order of GotOcr2ImageProcessor's defaults (the mean and deviation of CLIP's pictures)
MEAN = np.array([0.48145466, 0.4578275, 0.40821073], dtype=np.float32)
DEVIATION = np.array([0.26862954, 0.26130258, 0.27577711], dtype=np.float32)


def chat_prompt(text: str, *, expand: bool = True) -> str:
    """A user turn with one picture, its placeholder expanded as the processor and vLLM expand it."""
    picture = IMAGE_START + IMAGE * IMAGE_TOKENS + IMAGE_END if expand else IMAGE
    return f"{START}user\n{picture}\n{text}{END}\n{START}assistant\n"


def pixels(canvas: Canvas) -> np.ndarray:
    """The drawing as the image processor passes it to the model, [3, 144, 144]."""
    raw = np.asarray(canvas.image, dtype=np.float32) / 255
    return ((raw - MEAN) / DEVIATION).transpose(2, 0, 1)


@dataclass(frozen=True)
class Example:
    """One training example; labels are `IGNORED` over the prompt."""

    ids: list[int]
    labels: list[int]
    pixels: np.ndarray


class Lessons(IterableDataset):
    """Batches without an end: mostly listing for `warmup` batches, then mostly solutions."""

    def __init__(
        self,
        tokenizer: PreTrainedTokenizerFast,
        prompt: str,
        batch: int,
        warmup: int,
        seed: int,
        repairs: float,
    ) -> None:
        self.tokenizer, self.prompt = tokenizer, prompt
        self.batch, self.warmup, self.seed = batch, warmup, seed
        self.repairs = repairs

    def example(self, found: DemoProblem, rng: random.Random, *, lists: bool) -> Example:
        """One problem as a listing or as a solution."""
        canvas = Canvas(random.Random(rng.random()))
        found.draw(canvas)
        question = LISTING_PROMPT if lists else self.prompt.format(question=found.question)
        answer = listing(found.plan) if lists else sample_solution(found.plan, rng, self.repairs)
        head = self.tokenizer.encode(chat_prompt(question), add_special_tokens=False)
        tail = self.tokenizer.encode(answer + END, add_special_tokens=False)
        return Example(head + tail, [IGNORED] * len(head) + tail, pixels(canvas))

    def __iter__(self) -> Iterator[dict[str, torch.Tensor]]:
        rng = random.Random(f"lessons {self.seed}")
        source = stream("train", self.seed + 1)
        pool: list[DemoProblem] = []
        made = 0
        while True:
            examples = []
            # four batches at a time, sorted by length, so that little is padded
            share = FIRST_LISTING_SHARE if made < self.warmup else LISTING_SHARE
            for _ in range(4 * self.batch):
                if len(pool) < POOL:
                    pool.append(next(found for found in source if rng.random() < USED.get(found.family, USED_ELSE)))
                    found = pool[-1]
                else:
                    found = rng.choice(pool)
                examples.append(self.example(found, rng, lists=rng.random() < share))
            examples.sort(key=lambda example: len(example.ids))
            batches = [examples[k : k + self.batch] for k in range(0, len(examples), self.batch)]
            rng.shuffle(batches)
            yield from map(self.collate, batches)
            made += 4

    def collate(self, examples: list[Example]) -> dict[str, torch.Tensor]:
        """A batch, padded on the right: under a causal mask padding changes nothing before it."""
        length = max(len(example.ids) for example in examples)
        pad = self.tokenizer.pad_token_id
        ids = [example.ids + [pad] * (length - len(example.ids)) for example in examples]
        labels = [example.labels + [IGNORED] * (length - len(example.labels)) for example in examples]
        pictures = torch.from_numpy(np.stack([example.pixels for example in examples]))
        return {"input_ids": torch.tensor(ids), "labels": torch.tensor(labels), "pixel_values": pictures}


def learning_rate(step: int, progress: float, peak: float) -> float:
    """A short warm-up, then a cosine down to nothing; progress runs from 0 to 1."""
    return peak * min(1.0, (step + 1) / 200) * 0.5 * (1 + math.cos(math.pi * progress))


def loss_of(model: InternVLForConditionalGeneration, batch: dict[str, torch.Tensor]) -> torch.Tensor:
    """Mean cross-entropy of the answers' tokens."""
    hidden = model.model(input_ids=batch["input_ids"], pixel_values=batch["pixel_values"], use_cache=False)
    targets = batch["labels"][:, 1:]
    kept = targets != IGNORED
    logits = model.lm_head(hidden.last_hidden_state[:, :-1][kept])
    return torch.nn.functional.cross_entropy(logits.float(), targets[kept])


@torch.no_grad()
def accuracy(model: InternVLForConditionalGeneration, batch: dict[str, torch.Tensor]) -> float:
    """The share of answer tokens that the model finds likeliest."""
    out = model.model(input_ids=batch["input_ids"], pixel_values=batch["pixel_values"], use_cache=False)
    targets = batch["labels"][:, 1:]
    kept = targets != IGNORED
    guesses = model.lm_head(out.last_hidden_state[:, :-1][kept]).argmax(-1)
    return (guesses == targets[kept]).float().mean().item()


def save(model: InternVLForConditionalGeneration, lessons: Lessons, out: Path) -> None:
    """Writes the folder that transformers and vLLM load; weights in bf16."""
    weights = {name: tensor.to(torch.bfloat16) for name, tensor in model.state_dict().items()}
    # tied to the embedding
    del weights["lm_head.weight"]
    model.save_pretrained(out, state_dict=weights)
    config = copy.deepcopy(model.config)
    config.dtype = torch.bfloat16
    config.save_pretrained(out)
    build_processor(lessons.tokenizer).save_pretrained(out)


def main() -> None:
    """Trains and saves; a log line every 50 steps."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=Path("demo/policy"))
    parser.add_argument("--prompt", type=Path, default=PROMPT_FILE)
    parser.add_argument("--steps", type=int, default=10_500)
    parser.add_argument("--warmup-steps", type=int, default=1200, help="steps of mostly listing")
    parser.add_argument("--minutes", type=float, default=math.inf, help="end sooner, with the rate decayed")
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--lr", type=float, default=1e-3)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--repairs", type=float, default=0.0, help="how likely each later line repairs a mistake")
    parser.add_argument("--save-every", type=int, default=400)
    parser.add_argument("--resume", type=Path, help="a folder saved earlier, to start from its weights")
    args = parser.parse_args()

    torch.manual_seed(args.seed)
    device = "cuda" if torch.cuda.is_available() else "cpu"
    prompt = args.prompt.read_text(encoding="utf-8").rstrip("\n")
    tokenizer = PreTrainedTokenizerFast.from_pretrained(args.resume) if args.resume else build_tokenizer(prompt)
    lessons = Lessons(tokenizer, prompt, args.batch, args.warmup_steps, args.seed, args.repairs)
    model = build_model(tokenizer).to(device)
    if args.resume:
        model = InternVLForConditionalGeneration.from_pretrained(args.resume, dtype=torch.float32).to(device)
    # on a CPU the fused attention is slow to differentiate in bf16
    model.set_attn_implementation("eager")
    for layer in [*model.model.language_model.layers, *model.model.vision_tower.encoder.layer]:
        layer.compile(dynamic=True)
    model.train()
    optimizer = torch.optim.AdamW(model.parameters(), args.lr, (0.9, 0.98), weight_decay=0.01, fused=True)
    start, losses = time.time(), []
    for step, batch in enumerate(islice(DataLoader(lessons, batch_size=None, num_workers=1), args.steps)):
        progress = max(step / args.steps, (time.time() - start) / 60 / args.minutes)
        if progress >= 1:
            break
        batch = {name: tensor.to(device) for name, tensor in batch.items()}
        for group in optimizer.param_groups:
            group["lr"] = learning_rate(step, progress, args.lr)
        with torch.autocast(device, torch.bfloat16):
            loss = loss_of(model, batch)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad()
        losses.append(loss.item())
        if (step + 1) % 50 == 0:
            rate = (step + 1) * args.batch / (time.time() - start)
            with torch.autocast(device, torch.bfloat16):
                right = accuracy(model, batch)
            mean = sum(losses[-50:]) / 50
            report = f"loss {mean:.4f} tokens right {right:.3f} {rate:.0f} examples/s"
            print(f"step {step + 1}/{args.steps} {report}", flush=True)
        if (step + 1) % args.save_every == 0:
            save(model, lessons, args.out)
    save(model, lessons, args.out)


if __name__ == "__main__":
    main()
