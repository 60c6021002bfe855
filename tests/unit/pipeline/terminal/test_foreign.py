"""Lines of Ray and vLLM as they came, and what they mean."""

from __future__ import annotations

import pytest

from pipeline.terminal.foreign import FAULT, LINE, MOST, fault, ours, plain, shortened, telling

ACTOR = "(MapWorker(MapBatches(Annotator)) pid=7766) "


@pytest.mark.parametrize(
    "prefix", [ACTOR, "(MapWorker(MapBatches(Annotator)) pid=7766, ip=10.0.0.7) ", "(RayTrainWorker pid=9) "]
)
def test_what_a_process_of_ray_says_for_us_is_known_by_its_mark(prefix: str) -> None:
    assert ours(f"{prefix}{LINE}step 20 of 240: loss 0.5") == (False, "step 20 of 240: loss 0.5")
    assert ours(f"{prefix}{FAULT}an engine died") == (True, "an engine died")


@pytest.mark.parametrize(
    "line",
    [
        f"{ACTOR}WARNING 11-27 11:23:10 [vllm.py:1703] Enforce eager set",
        "visualprm: without a process",
        f"{ACTOR}it said visualprm: in the middle",
        "",
    ],
)
def test_what_others_say_is_not_ours(line: str) -> None:
    assert ours(line) is None


@pytest.mark.parametrize(
    ("line", "words"),
    [
        (
            "(raylet) A worker died or was killed while executing a task by an unexpected system error. To troubleshoot",
            "Ray lost one of its processes",
        ),
        (
            "(raylet, ip=10.0.0.3) Task was killed due to the node running low on memory.",
            "Ray ended a process because the machine's memory is nearly full",
        ),
        (
            "The node with node id: 5f and address: 10.0.0.3 has been marked dead because the detector has missed too many",
            "Ray lost a node",
        ),
        (
            "(raylet) [2026-11-27 11:22:39,883 E 67 67] (raylet) file_system_monitor.cc:116: /tmp/ray/session is over 95% full, "
            "available space: 1.2 GB",
            "the disk that Ray keeps its files on is nearly full",
        ),
    ],
)  # fmt: skip
def test_a_fault_of_ray_has_words_of_ours(line: str, words: str) -> None:
    told = fault(line)
    assert told is not None
    assert told.startswith(words)


@pytest.mark.parametrize(
    "line",
    [
        "[2026-11-27 11:22:39,883 E 6734 6734] core_worker.cc:2465: Actor with class name: 'MapWorker' and ID: '03' has "
        "constructor arguments in the object store and max_restarts > 0. If the arguments in the object store go out of scope",
        f"{ACTOR}Loading safetensors checkpoint shards: 100% Completed | 1/1 [00:00<00:00, 98.71it/s]",
        f"{ACTOR}FutureWarning: `torch.distributed.reduce_op` is deprecated",
    ],
)
def test_what_ray_and_vllm_say_at_every_start_is_no_fault(line: str) -> None:
    assert fault(line) is None
    assert telling([line]) is None


def test_the_telling_line_is_the_last_exception_behind_its_prefix() -> None:
    lines = [
        f"{ACTOR}(EngineCore pid=8861) ERROR 11-27 11:23:34 [core.py:1103] EngineCore failed to start.",
        f"{ACTOR}(EngineCore pid=8861) ERROR 11-27 11:23:34 [core.py:1103] Traceback (most recent call last):",
        f"{ACTOR}(EngineCore pid=8861) ERROR 11-27 11:23:34 [core.py:1103]   File \"x.py\", line 3, in load",
        f"{ACTOR}(EngineCore pid=8861) ERROR 11-27 11:23:34 [core.py:1103] torch.OutOfMemoryError: CUDA out of memory.",
        f"{ACTOR}RuntimeError: Engine core initialization failed. See root cause above. Failed core proc(s): {{}}",
        "ray.exceptions.ActorDiedError: The actor died because of an error raised in its creation task",
        f"{ACTOR}WARNING 11-27 11:23:35 [vllm.py:725] Model Runner V2 requires Triton",
    ]  # fmt: skip
    assert telling(lines) == "torch.OutOfMemoryError: CUDA out of memory."


def test_without_an_exception_a_fault_of_ray_tells() -> None:
    lost = "The node with node id: 5f has been marked dead because the detector has missed too many heartbeats"
    later = "[2026-11-27 12:24:57,176 C 37 49] core_worker.cc:609: :info_message: Attempting to recover 5 lost objects"
    assert telling([f"(raylet) {lost}", later]) == lost


def test_without_either_the_last_loud_line_tells() -> None:
    lines = [
        "a",
        "[2026-11-27 11:22:39,883 C 67 67] gcs_rpc_client.h:1: Failed to connect",
        "(x pid=1) ERROR late",
        "b",
    ]
    assert telling(lines) == "ERROR late"
    assert telling(["all is well", ""]) is None


def test_a_repeated_line_is_plain_and_not_too_long() -> None:
    assert plain("\x1b[36m(a pid=1)\x1b[0m x") == "(a pid=1) x"
    assert len(shortened("x" * 1000)) == MOST
    assert (
        shortened("\x1b[36m(RayTrainWorker pid=3)\x1b[0m   ValueError:  no   such  model ")
        == "ValueError: no such model"
    )
