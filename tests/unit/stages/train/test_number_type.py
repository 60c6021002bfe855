from pathlib import Path

import pytest

from pipeline.engine.number_type import Report
from stages.train.config import TrainConfig
from stages.train.number_type import decided, with_type

FAST = Report(gpu=False, cpu_bfloat16=True)
SLOW = Report(gpu=False, cpu_bfloat16=False)


def config(tmp_path: Path, bf16: object = "auto") -> TrainConfig:
    return TrainConfig.model_validate(
        {
            "name": "some",
            "run_dir": str(tmp_path / "run"),
            "data": {"path": "data"},
            "model": {"base": "demo/policy"},
            "optim": {"bf16": bf16},
        }
    )


@pytest.mark.parametrize(
    ("report", "bf16"),
    [
        (FAST, True),
        (SLOW, False),
        (Report(gpu=True, gpu_bfloat16=True), True),
        (Report(gpu=True, gpu_bfloat16=False, cpu_bfloat16=True), False),
    ],
)
def test_auto_is_what_the_machine_reports(tmp_path: Path, report: Report, bf16: bool) -> None:
    assert with_type(config(tmp_path), None, lambda: report).optim.bf16 is bf16


@pytest.mark.parametrize("recorded", [True, False])
def test_a_run_directory_keeps_its_type_on_another_machine(tmp_path: Path, recorded: bool) -> None:
    folder = tmp_path / "run"
    folder.mkdir()
    (folder / "train.yaml").write_text(f"name: some\noptim: {{bf16: {str(recorded).lower()}}}\n")
    assert decided(config(tmp_path), "mend").optim.bf16 is recorded


@pytest.mark.parametrize("given", [True, False])
def test_what_the_user_states_is_not_asked_of_the_machine(tmp_path: Path, given: bool) -> None:
    stated = config(tmp_path, given)
    assert decided(stated, "mend") is stated
