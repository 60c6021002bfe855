from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import textwrap
import threading
from collections.abc import Iterator
from typing import Any

import psutil
import pytest

from pipeline.records import Verdict
from stages.verify.judge import judge
from stages.verify.pool import VerifierPool
from stages.verify.process import Worker
from tests.places import ROOT
from tests.waiting import wait_until

MODES: tuple[str, ...] = ("choice", "number", "math", "text")
FLOOR = "\\lfloor x \\rfloor"
"""What our own grammar lacks, so that only math-verify can compare it."""
ENDLESS = f"(\\sin({FLOOR})+\\cos({FLOOR})+\\tan({FLOOR})+{FLOOR}+1)^{{40}}"
"""Something that passes the guards and keeps sympy busy for minutes."""


@pytest.fixture(scope="module")
def pool() -> Iterator[VerifierPool]:
    # Wide: what CPU time an answer takes depends on what else the machine does.
    with VerifierPool(workers=1, time_limit_s=2.0) as pool:
        yield pool


def verify(pool: VerifierPool, gold: str, answer: str) -> Verdict:
    return asyncio.run(pool.verify(gold, f"Final answer: {answer}", MODES))


def family(pool: VerifierPool) -> list[psutil.Process]:
    """The pool's processes and their children."""
    found = []
    for worker in pool._workers:
        process = psutil.Process(worker.process.pid)
        found += [process, *process.children(recursive=True)]
    return found


@pytest.mark.parametrize(
    ("gold", "answer"),
    [
        ("59", "59"),
        ("59", "58"),
        ("x^2+1", "1+x^2"),
        ("x^2+1", "x^2"),
        (f"{FLOOR}+1", f"1+{FLOOR}"),
        (f"{FLOOR}+1", FLOOR),
        ("[0,1)", "[0, 1]"),
        ("B", "A"),
    ],
)
def test_says_what_judge_says(pool: VerifierPool, gold: str, answer: str) -> None:
    assert verify(pool, gold, answer) == judge(gold, f"Final answer: {answer}", MODES)


def test_time_limit(pool: VerifierPool) -> None:
    verdict = verify(pool, f"\\sin({FLOOR})", ENDLESS)
    assert (verdict.status, verdict.mode) == ("timeout", "math")
    assert verify(pool, f"\\sin({FLOOR})", f"\\sin({FLOOR}) + 0{FLOOR}").status == "correct"


def test_a_worker_that_dies_is_replaced_and_the_answer_judged(pool: VerifierPool) -> None:
    for process in family(pool):
        process.kill()
    assert verify(pool, f"{FLOOR}+2", f"2+{FLOOR}").status == "correct"


def kill_when_asked(monkeypatch: pytest.MonkeyPatch, times: int, child: bool) -> list[int]:
    """The next `times` requests meet a worker, or its child, that the kernel kills; the list counts all requests."""
    asked: list[int] = []
    ask = Worker.ask

    def killed(self: Worker, *rest: Any) -> Any:
        asked.append(self.process.pid)
        if len(asked) <= times:
            process = psutil.Process(self.process.pid)
            wait_until(process.children)
            for victim in process.children() if child else [process]:
                victim.kill()
                victim.wait()
        return ask(self, *rest)

    monkeypatch.setattr(Worker, "ask", killed)
    return asked


@pytest.mark.parametrize("child", [True, False])
def test_a_lost_worker_costs_no_verdict(pool: VerifierPool, monkeypatch: pytest.MonkeyPatch, child: bool) -> None:
    asked = kill_when_asked(monkeypatch, 1, child)
    assert verify(pool, f"{FLOOR}+{10 + child}", f"{10 + child}+{FLOOR}").status == "correct"
    assert len(asked) == 2


def test_an_answer_that_loses_two_workers_is_an_error(pool: VerifierPool, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = kill_when_asked(monkeypatch, 2, child=False)
    verdict = verify(pool, f"{FLOOR}+12", f"12+{FLOOR}")
    assert (verdict.status, len(asked)) == ("error", 2)
    assert verify(pool, f"{FLOOR}+12", f"12+{FLOOR}").status == "correct", "an error is not remembered"


def test_a_hostile_answer_is_asked_once(pool: VerifierPool, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = kill_when_asked(monkeypatch, 0, child=False)
    assert verify(pool, f"\\cos({FLOOR})", ENDLESS).status == "timeout"
    assert len(asked) == 1


def test_a_child_that_dies_between_requests_costs_no_verdict_later(pool: VerifierPool) -> None:
    wait_until(lambda: len(family(pool)) == 2)
    child = family(pool)[1]
    child.kill()
    wait_until(lambda: not child.is_running())
    verify(pool, f"{FLOOR}+3", f"3+{FLOOR}")
    for number in range(4, 8):
        assert verify(pool, f"{FLOOR}+{number}", f"{number}+{FLOOR}").status == "correct"
        assert verify(pool, f"{FLOOR}+{number}", f"{number + 1}+{FLOOR}").status == "incorrect"


def test_equal_requests_share_one_evaluation(pool: VerifierPool, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []
    ask = Worker.ask
    monkeypatch.setattr(Worker, "ask", lambda self, *rest: asked.append(rest) or ask(self, *rest))  # type: ignore[func-returns-value]

    async def together() -> list[Verdict]:
        return await asyncio.gather(
            *(pool.verify(f"{FLOOR}+101", f"{n}\n\nFinal answer: 101+{FLOOR}", MODES) for n in range(16))
        )

    verdicts = asyncio.run(together())
    assert {verdict.status for verdict in verdicts} == {"correct"}
    assert verify(pool, f"{FLOOR}+101", f"101+{FLOOR}") == verdicts[0]
    assert len(asked) == 1


def test_a_caller_that_gives_up_leaves_the_others_their_verdict(pool: VerifierPool) -> None:
    async def scenario() -> Verdict:
        first = asyncio.create_task(pool.verify(f"{FLOOR}+5", f"Final answer: 5+{FLOOR}", MODES))
        second = asyncio.create_task(pool.verify(f"{FLOOR}+5", f"Final answer: 5+{FLOOR}", MODES))
        await asyncio.sleep(0)
        first.cancel()
        return await second

    assert asyncio.run(scenario()).status == "correct"


def test_from_another_thread(pool: VerifierPool) -> None:
    """Ray calls an actor's methods from threads that are not the main one."""
    verdicts: list[Verdict] = []

    def run() -> None:
        with VerifierPool(workers=1, time_limit_s=5.0) as other:
            verdicts.append(verify(other, f"{FLOOR}+9", f"9+{FLOOR}"))
        verdicts.append(verify(pool, f"{FLOOR}+9", f"9+{FLOOR}"))

    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    assert [verdict.status for verdict in verdicts] == ["correct", "correct"]


def test_close_leaves_no_process() -> None:
    pool = VerifierPool(workers=2, time_limit_s=5.0)
    wait_until(lambda: len(family(pool)) == 4)
    processes = family(pool)
    pool.close()
    assert not psutil.wait_procs(processes, timeout=60)[1]


CALLER = textwrap.dedent(
    """
    import asyncio, sys, threading
    from stages.verify.pool import VerifierPool

    async def main():
        pool = VerifierPool(workers=1, time_limit_s=60.0)
        busy = asyncio.create_task(pool.verify("\\\\sin(\\\\lfloor x \\\\rfloor)", "Final answer: " + sys.argv[1], ("math",)))
        await asyncio.sleep(0.2)
        print("started", flush=True)
        await busy

    asyncio.run(main())
    """
)


def test_nobody_outlives_a_killed_caller() -> None:
    caller = subprocess.Popen([sys.executable, "-c", CALLER, ENDLESS], cwd=ROOT, stdout=subprocess.PIPE)
    assert caller.stdout is not None
    assert caller.stdout.readline() == b"started\n"
    wait_until(lambda: len(psutil.Process(caller.pid).children(recursive=True)) == 2)
    processes = psutil.Process(caller.pid).children(recursive=True)
    os.kill(caller.pid, signal.SIGKILL)
    caller.wait()
    assert not psutil.wait_procs(processes, timeout=60)[1]
    caller.stdout.close()


def test_a_worker_imports_nothing_heavy() -> None:
    program = (
        "import sys; import stages.verify.worker as w; w._warm_up();"
        "print(sorted({'torch', 'ray', 'vllm', 'transformers', 'numpy.linalg'} & set(sys.modules) - {'numpy.linalg'}))"
    )
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_memory_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """A worker that has less address space than it needs says so instead of taking more."""
    monkeypatch.setattr("stages.verify.process.MEMORY_BYTES", 1 << 20)
    with VerifierPool(workers=1, time_limit_s=5.0) as pool:
        assert verify(pool, "\\int x", "y").status == "incorrect"
        assert verify(pool, "(x+1)^{50}", "(1+x)^{50} + y - y + z").status in ("error", "incorrect")


def test_verdicts_that_are_begun_together_need_no_task_and_algebra_does_not_hold_up_the_others(
    pool: VerifierPool,
) -> None:
    async def judged() -> list[tuple[str, int]]:
        algebra = pool.begin(f"{FLOOR}+7", f"Final answer: 7+{FLOOR}", MODES)
        cheap = pool.begin("59", "Final answer: 59", MODES)
        cut = pool.begin("59", "Final answer: 5", MODES, finish_reason="length")
        return [((await found).status, len(asyncio.all_tasks())) for found in (cheap, cut, algebra)]

    assert asyncio.run(judged()) == [("correct", 1), ("truncated", 1), ("correct", 1)]
