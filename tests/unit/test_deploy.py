"""The recipes of deploy/, as far as they can be looked at without SLURM, Kubernetes or a builder of images."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator
from typing import Any

import yaml

from tests.places import ROOT

DEPLOY = ROOT / "deploy"
JOB = yaml.safe_load((DEPLOY / "kuberay.yaml").read_text(encoding="utf-8"))


def pinned(name: str) -> str:
    found = re.search(rf"^{name}==(\S+)", (ROOT / "requirements/gpu.txt").read_text(encoding="utf-8"), re.MULTILINE)
    assert found is not None
    return found[1]


def pods() -> Iterator[dict[str, Any]]:
    cluster = JOB["spec"]["rayClusterSpec"]
    groups = [cluster["headGroupSpec"], *cluster["workerGroupSpecs"]]
    yield from (
        each["spec"] for each in (JOB["spec"]["submitterPodTemplate"], *(group["template"] for group in groups))
    )


def test_the_script_for_slurm_is_one_for_bash() -> None:
    done = subprocess.run(["bash", "-n", DEPLOY / "slurm.sbatch"], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_nothing_on_kubernetes_runs_as_root_or_holds_a_secret() -> None:
    for pod in pods():
        assert pod["securityContext"]["runAsNonRoot"]
        for container in pod["containers"]:
            assert not container["securityContext"]["allowPrivilegeEscalation"]
            # They come from secrets alone.
            assert "env" not in container
            mounted = {volume["name"] for volume in container.get("volumeMounts", ())}
            assert mounted <= {volume["name"] for volume in pod.get("volumes", ())}


def test_kubernetes_runs_the_ray_that_is_pinned() -> None:
    assert JOB["spec"]["rayClusterSpec"]["rayVersion"] == pinned("ray")


def test_the_image_installs_only_lists_that_are_there() -> None:
    text = (DEPLOY / "Dockerfile").read_text(encoding="utf-8")
    lists = [name for name in re.findall(r"install\.sh \.venv \"?(\S+?)\"?[ \n]", text) if not name.startswith("$")]
    assert lists == ["jobs"]
    assert (ROOT / "requirements" / "jobs.txt").exists()
    assert "USER 1000" in text
