"""`make gpu-check`: what only a GPU can show, tried on the demo; on a CPU, what is possible there.

    python -m demo.checks.gpu                  # all parts
    python -m demo.checks.gpu training scorer  # these

Each part runs in a process of its own, so that its memory is free again. `training` and `sharded` need no vLLM. Prints a
table; exit status 1 if a part found something wrong.
"""

from __future__ import annotations

import argparse
import json
import random
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
PROBLEMS = 8
"""Of the demo, for datasets that are compared."""


class NotHere(Exception):
    """This machine can't show it; the text says why."""


class Wrong(Exception):
    """It is not as it should be."""


def gpus() -> int:
    import torch

    found: int = torch.cuda.device_count()
    return found


def engine(folder: Path) -> str:
    """Draws of the pipeline's engine against those of `vllm.LLM.generate`, all prompts at once."""
    import asyncio

    from demo.benchmark import problems
    from pipeline.config import EngineConfig, SamplingConfig
    from pipeline.engine import Prompt, make_engine
    from pipeline.engine.vllm import CPU_ARGS, vllm_prompt
    from pipeline.records import Image

    config = EngineConfig(
        model=str(ROOT / "demo/policy"), dtype="bfloat16" if gpus() else "float32", batch_invariant=gpus() > 0
    )
    sampling, template = SamplingConfig(max_tokens=64), (ROOT / "prompts/demo_v1.txt").read_text(encoding="utf-8")
    rows, loop = list(problems(count=PROBLEMS)), asyncio.new_event_loop()
    own: Any = make_engine(config)
    prompts = [
        Prompt(own.chat(template.replace("{question}", row["question"]), 1), (Image.of(row["image"]),), 1)
        for row in rows
    ]

    async def all_at_once() -> list[Any]:
        return await asyncio.gather(*(own.generate(prompt, sampling, 4, 7, 64) for prompt in prompts))

    drawn = loop.run_until_complete(all_at_once())
    limit, ends = own._limit, own._end_ids
    loop.run_until_complete(own.close())
    from vllm import LLM, SamplingParams

    args = {} if gpus() else CPU_ARGS
    llm = LLM(config.model, dtype=config.dtype, max_model_len=config.max_model_len, enable_prefix_caching=True, **args)
    asked = SamplingParams(
        n=4, seed=7, temperature=sampling.temperature, top_p=sampling.top_p, top_k=sampling.top_k, max_tokens=64
    )
    found = llm.generate([vllm_prompt(prompt, limit) for prompt in prompts], asked, use_tqdm=False)
    llm.llm_engine.engine_core.shutdown(timeout=10)
    pairs = [
        (ours.token_ids, _without_end(theirs.token_ids, ends))
        for own_draws, output in zip(drawn, found, strict=True)
        for ours, theirs in zip(own_draws, output.outputs, strict=True)
    ]
    return _all_of(sum(one == other for one, other in pairs), len(pairs), "draws are vllm.LLM.generate's")


def replicas(folder: Path) -> str:
    """The dataset of two engines against that of one, byte for byte."""
    if gpus() == 1:
        raise NotHere("two engines want two GPUs")
    return _same(_dataset(folder / "one"), _dataset(folder / "two", "engine.replicas=2"))


def kill(folder: Path) -> str:
    """The dataset of a run whose engine is killed, against that of an undisturbed one."""
    from benchmarks.kills import digests, run_with_kills

    whole = _dataset(folder / "whole")
    command = [sys.executable, "-m", "pipeline.cli", *_words(folder / "killed")]
    status, kills = run_with_kills(command, folder / "log", 1, random.Random(0), (20, 30), ("engine",))
    if status:
        raise Wrong(f"exit status {status}: {(folder / 'log').read_text(encoding='utf-8')[-300:]}")
    return f"{_same(whole, digests(folder / 'killed/data'))}; killed: {', '.join(kills) or 'nothing, it was through before'}"


def training(folder: Path) -> str:
    """A training in bfloat16: 20 steps, and the loss that they end with."""
    return _trained(folder, "optim.bf16=true")


def sharded(folder: Path) -> str:
    """A training whose weights and states lie on two cards (FSDP2)."""
    if gpus() < 2:
        raise NotHere("weights on two cards want two GPUs")
    return _trained(folder, "optim.bf16=true", "ray.workers=2", "optim.args.fsdp=full_shard")


def scorer(folder: Path) -> str:
    """Scores of vLLM against those of transformers."""
    from contextlib import closing

    from benchmarks.scorer import difference, solutions
    from stages.reward.model import ProcessRewardModel
    from stages.reward.vllm import VllmScorer

    items, dtype, bound = solutions(16, 2), "bfloat16" if gpus() else "float32", 0.05 if gpus() else 2e-3
    model = str(ROOT / "demo/policy")
    plain: Any = ProcessRewardModel.from_pretrained(model, dtype=dtype).score_many(items)
    with closing(VllmScorer(model, dtype=dtype)) as opened:
        largest = difference(plain, opened.score_many(items))  # type: ignore[arg-type]
    if largest > bound:
        raise Wrong(f"scores differ by up to {largest:.2g}, more than {bound:g} ({dtype})")
    return f"scores of {len(items)} solutions differ by {largest:.2g} at most ({dtype})"


PARTS: dict[str, Callable[[Path], str]] = {
    each.__name__: each for each in (engine, replicas, kill, training, sharded, scorer)
}


def _words(folder: Path, *overrides: str) -> list[str]:
    places = [f"run_dir={folder / 'run'}", f"output_dir={folder / 'data'}", f"sources.0.kwargs.count={PROBLEMS}"]
    gpu = ["engine.dtype=bfloat16", "engine.batch_invariant=true"] if gpus() else []
    return ["dataset", "configs/demo.yaml", *places, *gpu, *overrides]


def _call(*words: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "pipeline.cli", *words], cwd=ROOT, capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise Wrong(f"exit status {done.returncode}: {done.stderr.strip()[-300:]}")


def _dataset(folder: Path, *overrides: str) -> dict[str, str]:
    from benchmarks.kills import digests

    _call(*_words(folder, *overrides))
    return digests(folder / "data")


def _same(one: dict[str, str], other: dict[str, str]) -> str:
    shards = [name for name in one if name.endswith(".parquet")]
    return _all_of(sum(one[name] == other.get(name) for name in shards), len(shards), "shards are the same bytes")


def _all_of(number: int, count: int, what: str) -> str:
    if number < count or not count:
        raise Wrong(f"{number} of {count} {what}")
    return f"{number} of {count} {what}"


def _without_end(ids: Any, ends: Any) -> tuple[int, ...]:
    found = tuple(ids)
    return found[:-1] if found and found[-1] in ends else found


def _trained(folder: Path, *overrides: str) -> str:
    _call(*_words(folder, "engine.kind=scripted"))
    places = [f"data.path={folder / 'data'}", f"run_dir={folder / 'training'}", f"output_dir={folder / 'prm'}"]
    _call("train", "configs/train_demo.yaml", *places, "data.held_out=0", "optim.args.max_steps=20", *overrides)
    losses = [float(one["loss"]) for one in _history(folder / "training") if "loss" in one]
    if not losses or losses[-1] != losses[-1]:
        raise Wrong(f"the losses are {losses}")
    return f"20 steps, loss {losses[0]:.3f} to {losses[-1]:.3f}"


def _history(training: Path) -> list[dict[str, Any]]:
    """What the trainer logged, by its last checkpoint."""
    states = sorted(training.rglob("trainer_state.json"), key=lambda path: path.stat().st_mtime)
    found: list[dict[str, Any]] = json.loads(states[-1].read_text(encoding="utf-8"))["log_history"] if states else []
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("parts", nargs="*", metavar="PART", help=f"of {', '.join(PARTS)}; all by default")
    parser.add_argument("--inside", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if unknown := set(options.parts) - set(PARTS):
        parser.error(f"no part is called {min(unknown)}; there are {', '.join(PARTS)}")
    if options.inside:
        _tell(options.parts[0])
        return
    print(f"| part | on {gpus() or 'no'} GPU{'s' * (gpus() > 1)} |\n|---|---|", flush=True)
    wrong = False
    for name in options.parts or PARTS:
        command = [sys.executable, "-m", "demo.checks.gpu", name, "--inside"]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        lines = done.stdout.strip().splitlines() if not done.returncode else done.stderr.strip().splitlines()
        wrong |= done.returncode != 0
        print(f"| {name} | {'**wrong**: ' * (done.returncode != 0)}{lines[-1] if lines else 'no word'} |", flush=True)
    sys.exit(wrong)


def _tell(name: str) -> None:
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        try:
            print(PARTS[name](Path(folder)))
        except NotHere as reason:
            print(f"not on this machine: {reason}")
        except Wrong as fault:
            sys.exit(str(fault))


if __name__ == "__main__":
    main()
