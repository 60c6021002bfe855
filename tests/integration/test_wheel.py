"""The built wheel in an environment of its own, used from an empty folder: what a user without a clone has.

The environment sees the packages of this one, but not the checkout. The tests marked `more` start vLLM, train, serve and
install everything anew.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import sysconfig
import time
import urllib.request
import zipfile
from pathlib import Path
from typing import Any

import pytest

from tests.places import ROOT

PACKAGES = ("configs", "demo", "pipeline", "prompts", "stages", "visualprm")
SCRIPTED = ("engine.kind=scripted", "rollout.num_draws=2", "publish.card_sections=[]", "name=scripted")
FEW = "sources.0.kwargs.count=8"


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Built from a copy, so that the checkout gets no build folders."""
    copy = tmp_path_factory.mktemp("source")
    for name in PACKAGES:
        shutil.copytree(ROOT / name, copy / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, copy)
    out = tmp_path_factory.mktemp("wheel")
    pip(sys.executable, "wheel", "--no-deps", "--no-index", "--no-build-isolation", "--wheel-dir", out, copy)
    (found,) = out.glob("*.whl")
    return found


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The `visualprm` of an environment with the wheel and this environment's packages."""
    python = bare_environment(tmp_path_factory.mktemp("environment"))
    pip(python, "install", "--no-deps", "--no-index", wheel)
    return python.with_name("visualprm")


@pytest.fixture(scope="module")
def solutions(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file of solutions to score."""
    path = tmp_path_factory.mktemp("solutions") / "solutions.jsonl"
    path.write_text(
        json.dumps({"question": "What is 2 + 2?", "images": [], "steps": ["2 + 2 = 4.", "Final answer: 4"]})
    )
    return path


def bare_environment(folder: Path) -> Path:
    """The Python of a new environment that sees this one's packages, but not the checkout."""
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", folder], check=True)
    (site,) = folder.glob("lib/python*/site-packages")
    # A folder named here has its packages found, but not its own .pth files heeded: the editable install's is one.
    operators = "import importlib.util as u; u.find_spec('_torchvision_ops') and __import__('_torchvision_ops')"
    lines = [sysconfig.get_path("purelib"), operators]
    (site / "of_the_other.pth").write_text("\n".join(lines))
    return folder / "bin" / "python"


def pip(python: str | Path, *arguments: object) -> None:
    command = [sys.executable, "-m", "pip", "--python", python, "--disable-pip-version-check", "--quiet", *arguments]
    done = subprocess.run(list(map(str, command)), capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def environment(**more: str) -> dict[str, str]:
    return {**{key: value for key, value in os.environ.items() if key != "PYTHONPATH"}, **more}


def run(command: Path, *arguments: object, folder: Path, timeout: float = 600) -> subprocess.CompletedProcess:
    line = [str(command), *map(str, arguments)]
    return subprocess.run(line, cwd=folder, capture_output=True, text=True, timeout=timeout, env=environment())


def succeed(command: Path, *arguments: object, folder: Path, timeout: float = 600) -> str:
    done = run(command, *arguments, folder=folder, timeout=timeout)
    assert done.returncode == 0, done.stderr[-3000:]
    return str(done.stdout)


def test_the_wheel_holds_the_code_and_its_data_alone(wheel: Path) -> None:
    names = set(zipfile.ZipFile(wheel).namelist())
    mine = {name for name in names if not name.partition("/")[0].endswith(".dist-info")}
    assert {name.partition("/")[0] for name in mine} == set(PACKAGES)
    tracked = [path for name in PACKAGES for path in (ROOT / name).rglob("*") if path.is_file()]
    expected = {path.relative_to(ROOT).as_posix() for path in tracked if path.suffix != ".pyc"}
    # The files that a reproduction made are of the repository alone: they are large.
    assert mine == {name for name in expected if not name.startswith("demo/reproduced/")}


def test_nothing_of_the_checkout_is_seen(installed: Path, tmp_path: Path) -> None:
    program = (
        f"import importlib; print(*(importlib.import_module(name).__path__[0] for name in {PACKAGES!r}), sep='\\n')"
    )
    found = succeed(installed.with_name("python"), "-c", program, folder=tmp_path).split()
    assert [Path(place).parent for place in found] == [next(installed.parents[1].glob("lib/python*/site-packages"))] * 6


def test_what_is_installed_is_told(installed: Path, tmp_path: Path) -> None:
    line = succeed(installed, "--version", folder=tmp_path)
    assert re.fullmatch(r"visualprm \d\S*, ray \d\S*, vllm \d\S*\n", line)
    assert "dataset" in succeed(installed, "--help", folder=tmp_path)


def test_check_and_plan(installed: Path, tmp_path: Path) -> None:
    checked = succeed(installed, "check", "configs/demo.yaml", FEW, folder=tmp_path)
    assert re.search(r"\| all +\| +8 \| +8 \|", checked)
    planned = succeed(installed, "plan", "configs/demo.yaml", FEW, folder=tmp_path)
    assert "wrong" not in planned
    assert "model: demo/policy" in planned


def test_an_untrained_critic_scores(installed: Path, solutions: Path, tmp_path: Path) -> None:
    succeed(installed, "score", "demo/policy", solutions, "--out", "scores.jsonl", folder=tmp_path)
    scored = json.loads((tmp_path / "scores.jsonl").read_text())
    assert len(scored["step_scores"]) == 2
    assert scored["error"] is None


def test_a_missing_input_is_one_line_that_names_the_places(installed: Path, tmp_path: Path) -> None:
    done = run(installed, "dataset", "configs/demo.yaml", *SCRIPTED, "prompt=prompts/none.txt", folder=tmp_path)
    assert done.returncode == 2
    (line,) = done.stderr.splitlines()
    assert line.startswith("visualprm: prompt: prompts/none.txt: no such file (looked for as ")
    site = next(installed.parents[1].glob("lib/python*/site-packages"))
    for folder in (tmp_path, site / "configs", site):
        assert str(folder / "prompts" / "none.txt") in line


@pytest.mark.slow
def test_the_examples_of_the_page_run(installed: Path, tmp_path: Path) -> None:
    """A dataset on the scripted engine through Ray, its rows and draws, a verifier's process, a model's scores."""
    page = (ROOT / "docs" / "python_api.md").read_text()
    blocks = re.findall(r"```python\n(.*?)```", page, re.DOTALL)
    assert len(blocks) == page.count("```python")
    told = succeed(installed.with_name("python"), "-c", "\n".join(blocks), folder=tmp_path)
    assert "none.yaml: no such config file (looked for as" in told
    assert sorted(path.name for path in tmp_path.iterdir()) == ["data", "runs"]
    # As the config names them: a run that began elsewhere resumes here.
    kept = (tmp_path / "runs" / "demo" / "config.yaml").read_text()
    assert "prompt: prompts/demo_v1.txt" in kept
    assert "model: demo/policy" in kept
    assert "nothing to do" in succeed(
        installed, "dataset", "configs/demo.yaml", *SCRIPTED[:1], FEW, "rollout.num_draws=4",
        "publish.card_sections=[]", folder=tmp_path,
    )  # fmt: skip


def test_the_code_that_travels_to_a_cluster_is_complete(installed: Path, tmp_path: Path) -> None:
    """Ray zips each module, and unpacks each into a folder of its own on the node."""
    send = (
        "import sys; from pipeline.cluster.session import own_modules; from ray._private.runtime_env import packaging as p\n"
        "for module in own_modules():\n"
        "    p.create_package(module.__path__[0], p.Path(f'{module.__name__}.zip'), True, include_parent_dir=True)"
    )
    succeed(installed.with_name("python"), "-c", send, folder=tmp_path)
    nodes = []
    for archive in sorted(tmp_path.glob("*.zip")):
        nodes.append(tmp_path / "node" / archive.stem)
        zipfile.ZipFile(archive).extractall(nodes[-1])
    assert [node.name for node in nodes] == sorted(PACKAGES)
    use = (
        "from pathlib import Path; import stages.build.run, stages.reward.model\n"
        "from stages.plan.assumptions import load_assumptions; from pipeline.prompts import prompt_file\n"
        "from pipeline.inputs import located; from demo.benchmark import problems; from visualprm import load_config\n"
        "load_assumptions(); assert prompt_file('prm_system_v1.txt').is_file(); print(located('demo/policy'))\n"
        "assert load_config('configs/demo.yaml').name == 'demo'; next(iter(problems('dataset', 1)))"
    )
    bare = bare_environment(tmp_path / "bare")
    done = subprocess.run(
        [bare, "-c", use],
        cwd=tmp_path,
        env=environment(PYTHONPATH=os.pathsep.join(map(str, nodes))),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == str(tmp_path / "node" / "demo" / "demo" / "policy")


@pytest.mark.more
@pytest.mark.slow
def test_the_demo_from_beginning_to_end(installed: Path, solutions: Path, tmp_path: Path) -> None:
    few = (FEW, "rollout.num_draws=4")
    succeed(installed, "dataset", "configs/demo.yaml", *few, folder=tmp_path, timeout=900)
    assert list((tmp_path / "data" / "demo").glob("train-*.parquet"))
    assert "nothing to do" in succeed(installed, "dataset", "configs/demo.yaml", *few, folder=tmp_path)
    short = ("optim.epochs=1", "model.new_layers=1")
    trained = succeed(installed, "train", "configs/train_demo.yaml", *short, folder=tmp_path, timeout=900)
    assert "reward model in outputs/demo_prm" in trained
    succeed(installed, "score", "outputs/demo_prm", solutions, "--out", "scores.jsonl", folder=tmp_path)
    scored = json.loads((tmp_path / "scores.jsonl").read_text())["step_scores"]
    served = ask(installed, "outputs/demo_prm", json.loads(solutions.read_text()), tmp_path)
    assert served["step_scores"] == pytest.approx(scored, abs=1e-5)


@pytest.mark.more
@pytest.mark.slow
def test_a_full_install(wheel: Path, solutions: Path, tmp_path: Path) -> None:
    """Every package of requirements/cpu.txt anew, from the package index."""
    new = tmp_path / "new"
    shutil.copytree(ROOT / "requirements", tmp_path / "clone" / "requirements")
    shutil.copytree(ROOT / "setup", tmp_path / "clone" / "setup")
    for name in PACKAGES:
        shutil.copytree(ROOT / name, tmp_path / "clone" / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, tmp_path / "clone")
    succeed(tmp_path / "clone" / "setup" / "install.sh", new, "cpu", folder=tmp_path)
    pip(new / "bin" / "python", "install", "--force-reinstall", "--no-deps", "--no-index", wheel)
    shutil.rmtree(tmp_path / "clone")
    empty = tmp_path / "empty"
    empty.mkdir()
    visualprm = new / "bin" / "visualprm"
    assert "vllm 0." in succeed(visualprm, "--version", folder=empty)
    succeed(visualprm, "score", "demo/policy", solutions, "--out", "scores.jsonl", folder=empty)
    succeed(visualprm, "dataset", "configs/demo.yaml", *SCRIPTED, FEW, folder=empty)


def ask(visualprm: Path, model: str, body: dict[str, Any], folder: Path) -> Any:
    """What `serve` answers."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with (folder / "serve.log").open("w") as log:
        command = [str(visualprm), "serve", model, "--port", str(port)]
        server = subprocess.Popen(command, cwd=folder, env=environment(), stdout=log, stderr=log)
    try:
        deadline = time.monotonic() + 300
        while True:
            try:
                urllib.request.urlopen(f"http://127.0.0.1:{port}/health").close()
                break
            except OSError:
                assert server.poll() is None, (folder / "serve.log").read_text()[-3000:]
                assert time.monotonic() < deadline
                time.sleep(0.5)
        headers = {"Content-Type": "application/json"}
        request = urllib.request.Request(f"http://127.0.0.1:{port}/score", json.dumps(body).encode(), headers)
        with urllib.request.urlopen(request) as answer:
            return json.load(answer)
    finally:
        server.send_signal(signal.SIGTERM)
        server.wait(60)
