"""A vLLM server without a line of ours, started and asked as docs/scoring.md says, gives the scores of transformers."""

from __future__ import annotations

import re
import shutil
import socket
import subprocess
import sys
import urllib.request
from pathlib import Path
from typing import Any

import pytest

from benchmarks.scorer import POLICY, solutions
from stages.reward.model import ProcessRewardModel, read_config
from tests.places import ROOT
from tests.waiting import wait_until

pytestmark = [pytest.mark.integration, pytest.mark.more]
PAGE = (ROOT / "docs/scoring.md").read_text(encoding="utf-8").split("## On a vLLM server")[1]
ON_CPU = ["--kv-cache-memory-bytes", "268435456", "--block-size", "32", "--max-model-len", "4096"]


def test_the_command_and_the_client_of_the_docs(tmp_path: Path) -> None:
    folder = Path(shutil.copytree(POLICY, tmp_path / "outputs/demo_prm"))
    read_config(POLICY).save(folder)
    item = solutions(1, 1)[0]
    (tmp_path / "triangle.png").write_bytes(item.images[0])
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
    (command,) = re.findall(r"```\n(python -m vllm.*?)```", PAGE, re.DOTALL)
    (options,) = re.findall(r"On a CPU add `(.*?)`", PAGE)
    words = f"exec {command.strip()} {options} {' '.join(ON_CPU)}".replace("8000", port).replace(
        "python", sys.executable, 1
    )
    with (tmp_path / "log").open("w") as log:
        server = subprocess.Popen(["bash", "-c", words], cwd=tmp_path, stdout=log, stderr=log)
    try:
        wait_until(lambda: answers(server, port, tmp_path / "log"))
        (client,) = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
        client = client.replace("8000", port).replace("outputs/", f"{tmp_path}/outputs/")
        names: dict[str, Any] = {}
        exec(client.replace('open("triangle.png"', f'open("{tmp_path}/triangle.png"'), names)
        found = names["score"](names["prm"], item.question, item.images, item.steps)
    finally:
        server.terminate()
        server.wait(60)
    expected = ProcessRewardModel.from_pretrained(POLICY, device="cpu", dtype="float32").score(
        item.question, item.images, item.steps
    )
    assert found == pytest.approx(expected, abs=2e-3)
    assert len(names["scores"]) == 2


def answers(server: subprocess.Popen[bytes], port: str, log: Path) -> bool:
    assert server.poll() is None, log.read_text()[-3000:]
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/health") as found:
            return bool(found.status == 200)
    except OSError:
        return False
