"""Writes requirements/{cpu,gpu,dev,browser,jobs,rl}.txt from pyproject.toml: `make lock ARGS='an option of uv pip compile'`.

Every version carries the hashes of its files. Versions that are already in a list stay as they are; `--upgrade` takes the
newest ones, `--upgrade-package NAME` moves one package. Needs uv beside the Python that runs this, and the package index.
"""

import subprocess
import sys
import tempfile
from itertools import product
from pathlib import Path

from packaging.requirements import Requirement

ROOT = Path(__file__).resolve().parents[1]
LISTS = {
    "cpu": (
        "For machines without a GPU. torch and torchvision are in cpu-torch.txt.",
        ["pyproject.toml", "--extra", "cpu", "--override", "requirements/overrides-cpu.txt"],
    ),
    "gpu": (
        "For NVIDIA GPUs. Resolved from the packages' metadata on a machine without one, so never run there.",
        ["pyproject.toml", "--extra", "gpu"],
    ),
    "dev": (
        "Tests, linter and type checker, on top of cpu.txt or gpu.txt.",
        ["--group", "dev", "--constraint", "requirements/cpu.txt"],
    ),
    "browser": (
        "What tries the pages in an installed Chromium, on top of cpu.txt or gpu.txt, for `make test-more`.",
        ["--group", "browser", "--constraint", "requirements/cpu.txt"],
    ),
    "jobs": (
        "What the head of a cluster needs for `ray job submit`, on top of cpu.txt or gpu.txt.",
        ["--group", "jobs", "--constraint", "requirements/cpu.txt"],
    ),
    "rl": (
        "TRL alone, which `make test-more` trains with; what it needs is in cpu.txt or gpu.txt.",
        ["--group", "rl", "--no-deps"],
    ),
}
HEAD = """\
# Written by `make lock` from pyproject.toml; not edited by hand. Every package, the indirect ones too.
# The index is PyPI, or a mirror of it that pip or uv is told of: the hashes, of all files that PyPI has of a version, hold
# there too, and whatever else an index offers under these names is refused."""
# The machines a list is for: a marker that is true on all of them says nothing and is left out.
MACHINES = [
    {
        "python_version": python,
        "python_full_version": f"{python}.0",
        "platform_machine": machine,
        "sys_platform": "linux",
        "platform_system": "Linux",
        "os_name": "posix",
        "implementation_name": "cpython",
        "platform_python_implementation": "CPython",
    }
    for python, machine in product(["3.11", "3.12", "3.13", "3.14"], ["x86_64", "aarch64"])
]


def pins(path: Path) -> dict[str, str]:
    """The pins of a list by package name, without their hashes."""
    lines = path.read_text().splitlines() if path.exists() else []
    found = (line.removesuffix(" \\") for line in lines if line and not line.startswith(("#", " ")))
    return {Requirement(line).name: line for line in found}


def plain(line: str) -> str:
    """A line of uv's without what is true of all our machines; lines of hashes, and what joins them, stay."""
    if line.startswith(" "):
        return line
    pin = line.removesuffix(" \\")
    return short(pin) + line[len(pin) :]


def short(line: str) -> str:
    requirement = Requirement(line)
    if requirement.marker and all(requirement.marker.evaluate(machine) for machine in MACHINES):
        requirement.marker = None
    return str(requirement).replace("; ", " ; ", 1)


def main() -> None:
    uv = [
        str(Path(sys.executable).parent / "uv"),
        "pip",
        "compile",
        "--quiet",
        "--universal",
        "--no-header",
        "--no-annotate",
        "--generate-hashes",
    ]
    for name, (comment, arguments) in LISTS.items():
        target = ROOT / f"requirements/{name}.txt"
        preferred = pins(target)
        if name == "gpu":  # both flavours run the same versions as far as they can
            preferred |= pins(ROOT / "requirements/cpu.txt")
        with tempfile.TemporaryDirectory() as folder:
            fresh = Path(folder, "list.txt")
            fresh.write_text("\n".join(preferred.values()))
            options = ["--python-version", "3.11", "--fork-strategy", "fewest", "--output-file", str(fresh)]
            subprocess.run([*uv, *options, *arguments, *sys.argv[1:]], cwd=ROOT, check=True, stdout=subprocess.DEVNULL)
            lines = [plain(line) for line in fresh.read_text().splitlines()]
        target.write_text("\n".join([HEAD, f"# {comment}", *lines]) + "\n")
        print(f"{target.relative_to(ROOT)}: {len(pins(target))} packages")


if __name__ == "__main__":
    main()
