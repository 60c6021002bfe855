"""Made-up machines, and what a run directory remembers."""

from __future__ import annotations

import pytest

from pipeline.config import EngineConfig
from pipeline.engine import number_type
from pipeline.engine.number_type import NumberType, Report, decided, fastest


@pytest.mark.parametrize(
    ("report", "expected"),
    [
        (Report(gpu=True, gpu_bfloat16=True), "bfloat16"),
        (Report(gpu=True, gpu_bfloat16=True, cpu_bfloat16=False), "bfloat16"),
        (Report(gpu=True, gpu_bfloat16=False, cpu_bfloat16=True), "float16"),
        (Report(gpu=False, cpu_bfloat16=True), "bfloat16"),
        (Report(gpu=False, cpu_bfloat16=False), "float32"),
    ],
)
def test_the_type_is_what_the_machine_multiplies_fast(report: Report, expected: NumberType) -> None:
    assert fastest(report) == expected


@pytest.mark.parametrize(
    ("given", "recorded", "expected"),
    [
        ("auto", None, "float32"),
        ("auto", "bfloat16", "bfloat16"),  # the default of runs made before
        ("auto", "auto", "auto"),  # a run in which vLLM chose
        ("float16", None, "float16"),
        ("float16", "float32", "float16"),  # refused later, as a change of settings
    ],
)
def test_a_run_keeps_what_it_was_made_with(
    monkeypatch: pytest.MonkeyPatch, given: str, recorded: str | None, expected: str
) -> None:
    monkeypatch.setattr(number_type, "this_machine", lambda: Report(gpu=False))
    engine = EngineConfig.model_validate({"dtype": given, "max_in_flight": 7})
    assert decided(engine, recorded).dtype == expected
    assert decided(engine, recorded).max_in_flight == 7


def test_a_script_asks_no_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(number_type, "this_machine", lambda: pytest.fail("asked"))
    assert decided(EngineConfig(kind="scripted")).dtype == "bfloat16"
