"""Another thread ends what the main thread does, and says why."""

from __future__ import annotations

import signal
import threading
import time

import pytest

from pipeline.stopping import interrupt
from pipeline.stopping.interrupt import interruptible, watched


def test_the_body_ends_with_the_first_error() -> None:
    handler = signal.getsignal(interrupt.SIGNAL)

    def work() -> None:
        with interruptible() as stop:
            threading.Thread(target=lambda: [stop(ValueError("first")), stop(ValueError("second"))]).start()
            time.sleep(30)

    with pytest.raises(ValueError, match="first"):
        work()
    assert signal.getsignal(interrupt.SIGNAL) is handler


def test_the_one_that_was_told_to_stop_raises() -> None:
    inside = []

    def work() -> None:
        with interruptible() as outer:
            try:
                with interruptible():
                    threading.Thread(target=outer, args=(ValueError("outer"),)).start()
                    time.sleep(30)
            except KeyboardInterrupt:
                inside.append("a stop for the inner one")
                raise

    with pytest.raises(ValueError, match="outer"):
        work()
    assert inside == ["a stop for the inner one"]


def test_a_stop_after_the_end_is_none(capsys: pytest.CaptureFixture[str]) -> None:
    heard: list[int] = []
    before = signal.signal(interrupt.SIGNAL, lambda number, _: heard.append(number))
    try:
        with interruptible() as stop:
            pass
        threads = set(threading.enumerate())
        stop(ValueError("late"))
        assert not set(threading.enumerate()) - threads, "nobody is left to send a signal"
        assert heard == []
    finally:
        signal.signal(interrupt.SIGNAL, before)
    assert capsys.readouterr().err == ""


def test_who_watches_ends_the_body_and_looks_no_more() -> None:
    looks: list[str] = []

    def look(stop: interrupt.Stop) -> bool:
        looks.append(threading.current_thread().name)
        if len(looks) == 3:
            stop(ValueError("seen"))
        return len(looks) == 3

    def work() -> None:
        with watched(look, 0.01, "guard"):
            time.sleep(30)

    with pytest.raises(ValueError, match="seen"):
        work()
    assert looks == ["guard"] * 3


def test_who_watches_goes_with_the_body() -> None:
    with watched(lambda stop: False, 0.01, "guard"):
        assert "guard" in {thread.name for thread in threading.enumerate()}
    assert "guard" not in {thread.name for thread in threading.enumerate()}


def test_in_another_thread_it_is_said_at_once_and_raised_at_the_end(capsys: pytest.CaptureFixture[str]) -> None:
    found: list[str] = []

    def work() -> None:
        try:
            with interruptible() as stop:
                stop(ValueError("lost"))
                found.append("went on")
        except ValueError as error:
            found.append(str(error))

    thread = threading.Thread(target=work)
    thread.start()
    thread.join(10)
    assert found == ["went on", "lost"]
    assert capsys.readouterr().err == "lost\n"
