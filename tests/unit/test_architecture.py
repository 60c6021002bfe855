"""The order of imports, and what else keeps the house in order. Each message says what to do."""

from __future__ import annotations

import ast
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from pipeline.cli import main
from stages.exchange.formats import FORMATS, exports, readers
from stages.rollout.strategies import STRATEGIES
from stages.split.kinds import KINDS
from stages.verify.modes import MODES
from tests.places import ROOT

ORDER = (
    ("pipeline",),
    ("pipeline.engine",),
    ("stages.label_rules",),
    ("stages.label", "stages.split", "stages.metrics", "stages.plot_style"),
    ("stages.verify",),
    ("stages.load",),
    ("stages.rollout",),
    ("stages.annotate",),
    ("stages.judge",),
    ("stages.publish",),
    ("stages.reward",),
    ("stages.rewards",),
    ("stages.exchange",),
    ("stages.train",),
    ("stages.evaluate",),
    ("stages.label_kinds",),
    ("stages.frontier",),
    ("stages.best_of_n",),
    ("stages.browse",),
    ("stages.annotate_steps",),
    ("stages.plan",),
    ("stages.build",),
    ("stages.score",),
    ("demo",),
    ("visualprm",),
)
"""The data's way. A file imports from its own package and from earlier ones. `stages.score` is an old name of `reward.model`."""
PLACE = {package: number for number, packages in enumerate(ORDER) for package in packages}
SOURCES = sorted(path for top in ("pipeline", "stages", "demo", "visualprm") for path in (ROOT / top).rglob("*.py"))


def package_of(module: str) -> str | None:
    """The package of `ORDER` that a module belongs to; None if it is not ours."""
    parts = module.split(".")
    names = (".".join(parts[:length]) for length in range(len(parts), 0, -1))
    return next((name for name in names if name in PLACE), None)


def module_of(path: Path) -> str:
    return ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")


def imported(path: Path) -> Iterator[tuple[int, str]]:
    """Line and dotted name of everything that a file imports, at any depth."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield from ((node.lineno, f"{node.module}.{alias.name}") for alias in node.names)


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: module_of(path))
def test_imports_only_from_its_own_package_or_earlier_ones(path: Path) -> None:
    own = package_of(module_of(path))
    if own is None:
        assert path == ROOT / "stages/__init__.py", f"{path}: give its package a place in ORDER"
        return
    for line, name in imported(path):
        other = package_of(name)
        assert other is None or other == own or PLACE[other] < PLACE[own], (
            f"{path.relative_to(ROOT)}:{line}: {own} imports {name}, which comes later in the order: move what it needs "
            "to an earlier package, or let the caller hand it over"
        )


PURE = (
    "pipeline.columns",
    "pipeline.errors",
    "pipeline.markdown",
    "pipeline.records",
    "pipeline.schemas",
    "pipeline.seeds",
    "stages.label",
    "stages.label_rules",
    "stages.split.kinds",
    "stages.split.numbered",
    "stages.split.pieces",
    "stages.split.sentences",
    "stages.split.thinking",
    "stages.metrics",
    "stages.verify.algebra",
    "stages.verify.arithmetic",
    "stages.verify.brackets",
    "stages.verify.compat",
    "stages.verify.conclude",
    "stages.verify.equations",
    "stages.verify.extract",
    "stages.verify.finding",
    "stages.verify.forms",
    "stages.verify.formula",
    "stages.verify.golds",
    "stages.verify.guards",
    "stages.verify.hedges",
    "stages.verify.judge",
    "stages.verify.listed",
    "stages.verify.markers",
    "stages.verify.modes",
    "stages.verify.notation",
    "stages.verify.options",
    "stages.verify.quantity",
    "stages.verify.references",
    "stages.verify.regions",
    "stages.verify.signs",
    "stages.verify.symbols",
    "stages.verify.tokens",
    "stages.verify.units",
    "stages.verify.words",
    "stages.rollout.audit",
    "stages.rollout.bias",
    "stages.rollout.replay",
    "stages.rollout.strategies",
    "stages.annotate.plausible",
    "stages.annotate.tally",
    "stages.judge.answer",
    "stages.judge.records",
    "stages.publish.drawn",
    "stages.publish.flips",
    "stages.publish.kept",
    "stages.publish.label_card",
    "stages.publish.recipe",
    "stages.publish.stats",
    "stages.reward.aggregate",
    "stages.reward.render",
    "stages.reward.scalars",
    "stages.exchange.conversations",
    "stages.exchange.dualmath",
    "stages.exchange.format",
    "stages.exchange.labels",
    "stages.exchange.math_shepherd",
    "stages.exchange.messages",
    "stages.exchange.names",
    "stages.exchange.prm800k",
    "stages.exchange.raw",
    "stages.exchange.stepwise",
    "stages.exchange.values",
    "stages.train.order",
    "stages.train.targets",
    "stages.evaluate.table",
    "stages.evaluate.verdicts",
    "stages.frontier.measure",
    "stages.label_kinds.report",
    "stages.best_of_n.answers",
    "stages.best_of_n.compare",
    "stages.best_of_n.expected",
    "stages.best_of_n.methods",
    "stages.best_of_n.summary",
    "stages.best_of_n.weights",
    "stages.annotate_steps.shares",
    "stages.browse.arrays",
    "stages.browse.collection",
    "stages.browse.draws",
    "stages.browse.features",
    "stages.browse.formulas",
    "stages.browse.overview",
    "stages.plan.amount",
    "stages.plan.chains",
    "stages.plan.cost",
    "stages.plan.tiles",
    "stages.plan.units",
)
"""What turns values into values: no file, no process, no clock, no chance that is not given. A package stands for its files."""
NO_EFFECTS = (
    "__future__ abc bisect collections dataclasses decimal difflib enum fractions functools hashlib heapq itertools json marshal"
    " logging math numbers operator random re statistics string typing unicodedata"
    " html jinja2 latex2mathml latex2sympy2_extended markupsafe math_verify mpmath numpy pyarrow scipy sympy xml"
).split()
"""What pure modules import beside each other: `logging` to quiet a library, `random` for generators with a seed."""
GENERATORS = ("random.Random", "random.default_rng")
"""They must be given a seed."""
SETTINGS = "pipeline.config"
"""Its types are values. Only its `load_config` reads a file."""


def is_pure(module: str) -> bool:
    return any(module == name or module.startswith(f"{name}.") for name in PURE)


def effects(path: Path) -> Iterator[tuple[int, str]]:
    """Line and name of what a file imports or calls, and a pure one may not. Types may be anybody's."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    of_types = {
        line
        for node in ast.walk(tree)
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"
        for line in range(node.lineno, (node.end_lineno or node.lineno) + 1)
    }
    for line, name in imported(path):
        ours = package_of(name) is not None
        harmless = is_pure(name) or name.startswith(SETTINGS) if ours else name.split(".")[0] in NO_EFFECTS
        reads = name.startswith(("pyarrow.fs", "pyarrow.parquet", "pyarrow.dataset", f"{SETTINGS}.load_config"))
        if line not in of_types and (reads or not harmless):
            yield line, f"imports {name}"
    for node in ast.walk(tree):
        if not isinstance(node, ast.Call):
            continue
        called = ast.unparse(node.func).removeprefix("np.")
        by_chance = called.startswith("random.") and not called.startswith(("random.Random", "random.default_rng"))
        if called in ("open", "print", "input") or by_chance or (called in GENERATORS and not node.args):
            yield node.lineno, f"calls {called}"


@pytest.mark.parametrize("path", [path for path in SOURCES if is_pure(module_of(path))], ids=module_of)
def test_pure_modules_have_no_effects(path: Path) -> None:
    found = [f"{path.relative_to(ROOT)}:{line} {what}" for line, what in effects(path)]
    assert not found, (
        f"{'; '.join(found)}: let a caller at the rim do that, and hand the values over; a module of ours without effects "
        "goes into PURE"
    )


FLAT = 19
"""Files that lie in `pipeline/` itself at most."""


def test_the_framework_stays_easy_to_survey() -> None:
    found = sorted(path.name for path in (ROOT / "pipeline").glob("*.py"))
    assert len(found) <= FLAT, "put files of one subject into a package of their own, as pipeline/command_line is"


def test_every_pure_module_is_there() -> None:
    there = {module_of(path) for path in SOURCES}
    assert not [name for name in PURE if name not in there], "take it out of PURE, or give it its new name"


HEAVY = ("ray", "vllm", "torch", "transformers")
"""Packages that take seconds to import."""


@pytest.mark.parametrize("arguments", [["--help"], ["check", "--help"]], ids=" ".join)
def test_commands_without_an_engine_import_no_heavy_package(arguments: list[str]) -> None:
    program = (
        "import sys\nfrom pipeline.cli import main\n"
        f"try: main({arguments!r})\nexcept SystemExit: pass\n"
        f"print('heavy:', *(name for name in {HEAVY!r} if name in sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "heavy:", "import it in the function that uses it"


def test_every_file_format_is_known_to_the_command_line(capsys: pytest.CaptureFixture[str]) -> None:
    for command, names in (("import", readers()), ("export", exports())):
        with pytest.raises(SystemExit):
            main([command, "--help"])
        choices, *_ = re.findall(r"\{(.+?)\}", capsys.readouterr().out.replace("\n", ""))
        assert re.sub(r"\s", "", choices).split(",") == list(names), "the command line takes its choices from FORMATS"


def test_every_name_of_a_registry_is_told_in_the_docs() -> None:
    for page, names in (
        ("strategies", STRATEGIES),
        ("adding_a_source", MODES),
        ("formats", FORMATS),
        ("splitting", KINDS),
    ):
        text = (ROOT / f"docs/{page}.md").read_text(encoding="utf-8")
        missing = [name for name in names if f"`{name}`" not in text]
        assert not missing, f"docs/{page}.md: say what {', '.join(missing)} does"


def named_prompts() -> Iterator[str]:
    """The prompt files that the code names; `*` where one is put together."""
    for path in SOURCES:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if not isinstance(node, ast.Call) or not ast.unparse(node.func).endswith("prompt_file"):
                continue
            # The names of a table are among the files, which are all looked for.
            if isinstance(node.args[0], (ast.Constant, ast.JoinedStr)):
                yield re.sub(r"\{.*?\}", "*", ast.unparse(node.args[0]).lstrip("f").strip("'\""))


def test_every_prompt_is_found_from_another_working_directory(tmp_path: Path) -> None:
    names = {found.name for name in named_prompts() for found in list((ROOT / "prompts").glob(name)) or [Path(name)]}
    names |= {path.name for path in (ROOT / "prompts").glob("*.txt")}
    program = "import sys\nfrom pipeline.prompts import prompt_file\nfor name in sys.argv[1:]: print(prompt_file(name).read_text())"
    done = subprocess.run(
        [sys.executable, "-c", program, *sorted(names)],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, f"put it into prompts/ and name it by `pipeline.prompts.prompt_file`: {done.stderr}"


def test_ray_is_started_in_one_place() -> None:
    """Where a start that Ray gives up is tried again."""
    starts = [path.relative_to(ROOT) for path in SOURCES if "ray.init(" in path.read_text(encoding="utf-8")]
    assert starts == [Path("pipeline/cluster/joining.py"), Path("pipeline/cluster/session.py")], (
        "call pipeline.cluster.session.start_ray, or ray_at, instead of ray.init"
    )


KEPT_QUIET = tuple(
    f"{name}."
    for name in "pipeline stages.verify stages.load stages.rollout stages.annotate stages.publish stages.reward stages.train "
    "stages.evaluate stages.best_of_n stages.build".split()
)
"""Packages that work while libraries are kept from the terminal."""
ALONE = ("pipeline.cli", "pipeline.command_line", "pipeline.terminal", "stages.load.add", "stages.publish.show",
         "stages.best_of_n.report", "stages.reward.server")  # fmt: skip
"""What prints there where no library has anything to say, beside the commands themselves."""


def test_lines_for_a_person_reach_the_terminal_while_libraries_are_kept_from_it() -> None:
    for path in SOURCES:
        module = module_of(path)
        if not f"{module}.".startswith(KEPT_QUIET) or module.startswith(ALONE) or module.endswith(".command"):
            continue
        if "print(" not in (text := path.read_text(encoding="utf-8")) and "sys.std" not in text:
            continue
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, (ast.Call, ast.Attribute)):
                named = ast.unparse(node.func if isinstance(node, ast.Call) else node)
                assert named not in ("print", "sys.stderr", "sys.stdout"), (
                    f"{path.relative_to(ROOT)}:{node.lineno}: what is printed there ends in the log of libraries: use say "
                    "or tell of pipeline.terminal.speak"
                )


LONG = 80
"""Lines above which a module has a test file of its name, or stands in `COVERED`."""
COVERED = {
    "tests/integration/test_training": "stages/train: base_model",
    "tests/integration/test_trl": "demo/rl: drawing",
    "tests/integration/test_dataset": "stages/annotate: graph",
    "tests/unit/demo/test_benchmark": "demo: drawing",
    "tests/unit/demo/test_policy": "demo: evaluate_policy model reasoning train_policy",
    "tests/unit/demo/test_reproduction": (
        "demo: checks/tables reproduction/claims reproduction/document reproduction/plan reproduction/tasks"
    ),
    "tests/unit/pipeline/engine/test_engine": "pipeline/engine: scripted",
    "tests/unit/pipeline/engine/server/test_engine": "pipeline/engine/server: http pool",
    "tests/unit/pipeline/engine/server/test_chat_engine": "pipeline/engine/server: chat_requests chat_trial",
    "tests/unit/pipeline/engine/server/test_tokens": "pipeline/engine/server: replies",
    "tests/unit/pipeline/engine/server/test_trial": "pipeline/engine/server: start",
    "tests/unit/pipeline/command_line/test_parser": "stages: best_of_n/command exchange/command publish/command reward/command",
    "tests/unit/pipeline/lock/test_lock": "pipeline/lock: lapsing",
    "tests/unit/pipeline/lock/test_s3": "pipeline/lock: s3_object",
    "tests/unit/pipeline/test_config": "pipeline: settings config/engine",
    "tests/unit/pipeline/test_label_settings": "pipeline/config: label",
    "tests/unit/pipeline/test_records": "pipeline: schemas",
    "tests/unit/stages/best_of_n/test_importing": "stages/best_of_n: command matching",
    "tests/unit/stages/best_of_n/test_pool": "stages/best_of_n: markdown methods report scores summary",
    "tests/unit/stages/browse/test_app": "stages/browse: benches collection pages published runs under_way",
    "tests/unit/stages/browse/test_critics": "stages/browse: places",
    "tests/unit/stages/browse/test_query": "stages/browse: features",
    "tests/unit/stages/browse/test_texts": "stages/browse: formulas pictures",
    "tests/unit/stages/evaluate/test_prompted": "stages/evaluate: verdicts",
    "tests/unit/stages/evaluate/test_report": "stages/evaluate: table",
    "tests/unit/stages/evaluate/test_run": "stages/evaluate: open_critic",
    "tests/unit/stages/exchange/test_formats": "stages/publish: kept",
    "tests/unit/stages/exchange/test_importing": "stages/exchange: conversations corpus format raw",
    "tests/unit/stages/exchange/test_stepwise": "stages/exchange: math_shepherd prm800k",
    "tests/unit/stages/frontier/test_measure": "stages: frontier/report frontier/run frontier/runs rollout/audit rollout/ledger",
    "tests/unit/stages/label_kinds/test_measure": "stages/label_kinds: report",
    "tests/unit/stages/label_kinds/test_run": "stages/judge: ledgers",
    "tests/unit/stages/annotate/test_annotator": "stages/annotate: actor",
    "tests/unit/stages/load/add/test_doors": "stages/load: add/finding add/rows_inside add/survey add/templates",
    "tests/unit/stages/load/add/test_report": "stages/load: add/guesses",
    "tests/unit/stages/load/sources/test_readers": "stages/load/sources: files nesting roots",
    "tests/unit/stages/load/sources/test_several_files": "stages/load/sources: data_files joins samples",
    "tests/unit/stages/load/test_parse": "stages/load: sources/fields",
    "tests/unit/stages/load/test_problems": "stages/load: paths screen",
    "tests/unit/stages/annotate_steps/test_app": "stages/annotate_steps: command",
    "tests/unit/stages/annotate_steps/test_sample": "stages: annotate_steps/export annotate_steps/report"
    " annotate_steps/tasks publish/hand_labels",
    "tests/unit/stages/annotate/test_plausible": "stages/annotate: tally",
    "tests/unit/stages/plan/test_plan": "stages/plan: assumptions checks cost notes pilot solutions text",
    "tests/unit/stages/publish/test_card": "stages/publish: recipe",
    "tests/unit/stages/publish/test_dataset": "stages/publish: several_runs",
    "tests/unit/stages/publish/test_relabel": "stages/publish: published_steps",
    "tests/unit/stages/publish/test_reverify": "stages/publish: flips",
    "tests/unit/stages/publish/test_rows": "stages/publish: shards solutions",
    "tests/unit/stages/reward/test_model": "stages/reward: config",
    "tests/unit/stages/train/test_labels": "stages/publish: reading",
    "tests/unit/stages/train/test_prepare": "stages/train: samples",
    "tests/unit/stages/verify/modes/test_math": "stages/verify: formula tokens",
    "tests/unit/stages/verify/test_extract": "stages/verify: markers",
    "tests/unit/stages/verify/test_golden": "stages/verify: conclude hedges modes/date modes/number",
    "tests/unit/stages/verify/test_judge": "stages/verify: notation",
    "tests/unit/stages/verify/test_modes": "stages/verify: brackets modes/list modes/text",
    "tests/unit/stages/verify/test_pool": "stages/verify: process",
    "tests/unit/stages/verify/test_quantity": "stages/verify: units",
    "tests/unit/stages/verify/test_report": "stages/verify: rows",
}
"""Tests of several modules: the test's file, then the folder of the modules and their names in it."""


def covered() -> dict[Path, Path]:
    """The test of each module of `COVERED`."""
    found: dict[Path, Path] = {}
    for test, modules in COVERED.items():
        folder, names = modules.split(": ")
        found |= {ROOT / folder / f"{name}.py": ROOT / f"{test}.py" for name in names.split()}
    return found


def own_test(path: Path) -> Path:
    """`stages/split.py`'s is `tests/unit/stages/test_split.py`; a package's may lie beside the package."""
    mirrored = ROOT / "tests" / "unit" / path.relative_to(ROOT)
    if path.name != "__init__.py":
        return mirrored.with_name(f"test_{path.stem}.py")
    inside = mirrored.with_name(f"test_{path.parent.name}.py")
    return inside if inside.exists() else inside.parent.parent / inside.name


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: module_of(path))
def test_a_long_module_has_a_test_of_its_name_or_stands_in_the_list(path: Path) -> None:
    if len(path.read_text(encoding="utf-8").splitlines()) > LONG and path not in covered():
        wanted = own_test(path)
        assert wanted.exists(), (
            f"{path.relative_to(ROOT)} has more than {LONG} lines: add {wanted.relative_to(ROOT)}, or name the test that "
            "covers it in COVERED"
        )


@pytest.mark.parametrize(("path", "test"), covered().items(), ids=lambda path: path.stem)
def test_the_list_holds_only_what_is_there(path: Path, test: Path) -> None:
    assert path.exists(), f"COVERED: {path.relative_to(ROOT)} is gone: take it out"
    assert test.exists(), f"COVERED: {test.relative_to(ROOT)} is gone: name the test that covers {path.name} now"
    assert not own_test(path).exists(), f"COVERED: {path.relative_to(ROOT)} has a test of its own: take it out"


PRINTS = (
    "pipeline.cli",
    "pipeline.command_line.completion",
    "pipeline.command_line.ending",
    "pipeline.reference.command",
    "pipeline.terminal.speak",
    "pipeline.terminal.survivor",
    "stages.publish.show",
)
"""Files that print by themselves: each takes out what would steer a terminal, or prints this program's own text."""


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: module_of(path))
def test_what_reaches_a_terminal_passes_where_control_characters_are_taken_out(path: Path) -> None:
    if (module := module_of(path)) in PRINTS or module.startswith("demo."):
        return
    found = [
        node.lineno
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Name) and node.id == "print"
    ]
    assert not found, f"{module}, line {found}: use say, tell (pipeline/terminal/speak.py) or an Answer"
