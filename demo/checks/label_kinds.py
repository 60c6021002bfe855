"""`make label-kinds`: what a reward model learns from each kind of label of a run of the demo, all at equal tokens.

    visualprm judge runs/demo --with configs/judge_demo.yaml
    python -m demo.checks.label_kinds runs/demo --judge oracle [optim.epochs=12 …]

The run is published with each kind, and a process reward model is trained on each: for `mc` as the settings say, for the
others for so many epochs that as many tokens are read. The oracle judges the models on every step of the problems that all
trainings hold out, as prefixes and as steps by themselves. Kinds that give every step the same label share a model. The
same command goes on. Writes label_kinds.json and label_kinds.md.
"""

from __future__ import annotations

import argparse
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from demo.checks.critics import held_out, scores
from demo.checks.frontier import CONFIG, trained, worth
from demo.checks.report import oracle, step_oracle
from pipeline import atomic, origin
from pipeline.command_line.ending import one_line_errors
from pipeline.config import LabelConfig, parse_config
from pipeline.errors import UserError
from pipeline.markdown import Row, markdown_table
from pipeline.settings import load_settings
from pipeline.store import Store
from stages.judge.ledgers import judges
from stages.judge.of_run import JudgedRun
from stages.label_kinds.measure import kinds_of
from stages.label_kinds.report import brackets, decimal, percent
from stages.label_kinds.run import compared
from stages.publish.dataset import republish
from stages.reward.model import ProcessRewardModel
from stages.train import base_model
from stages.train.config import TrainConfig
from stages.train.fit import make_layout
from stages.train.prepare import prepare

TRUTHS = {"prefix": oracle, "step": step_oracle}
ORACLES = {"prefix": "demo.checks.report:oracle", "step": "demo.checks.report:step_oracle"}


def weighed(
    run: str, named: Sequence[str], only: Sequence[str], settings: Sequence[str], home: Path
) -> Iterator[dict[str, Any]]:
    """A row a kind, and with several judges a row a kind and judge: of its labels, and of the model that learnt them.

    Each comes when its model is there.

    Args:
        run: a run of the demo with a `fixed` ledger, and judgements.
        named: names of judges; all that have judged it, if none is given.
        only: beginnings of names of kinds; all if there are none. `mc` is always there.
        settings: of the training, as `key.sub=value`.
        home: a folder for datasets and models.

    Raises:
        UserError: nobody has judged the run, or settings change what is compared.
        StartError: a training was stopped or lost.
    """
    for setting in settings:
        if setting.startswith(("target.", "data.path", "data.held_out", "seed")):
            raise UserError(f"{setting}: all trainings learn the labels as they are published, and hold out the same")
    store = Store(run)
    names = list(named) or judges(JudgedRun(store))
    if not names:
        raise UserError(f"{run}: nobody has judged this run: `visualprm judge {run} --with configs/judge_demo.yaml`")
    config = parse_config(origin.noted(store, "config.yaml", "restore this file") or {}, origin=run)
    rows: list[dict[str, Any]] = []
    for judge in names:
        figures = {one["name"]: one for one in compared(run, (), judge, list(ORACLES.values()))["kinds"]}
        for name, label in kinds_of(config.label, stops_at_success=False, judged=True).items():
            if (label.needs_judge or judge == names[0]) and (not rows or name.startswith(tuple(only) or "")):
                rows.append(_row(run, name, judge, label, figures[name], home))
    # What was labelled changes no text: any of the datasets holds all solutions with all steps.
    whole = rows[0]["data"]
    first = _training(whole, settings, home)
    full, epochs = _tokens(first), first.optim.epochs
    for row in rows:
        data = row["data"]
        own = _tokens(_training(data, settings, home))
        row["epochs"] = round(epochs * full / own, 4)
        row["tokens"] = round(own * row["epochs"])
        model = trained(data, [*settings, f"optim.epochs={row['epochs']}"], home, "label-kinds")
        yield {**row, "model": str(model), "prm": judged(model, whole, run), "data": str(data)}


def _row(run: str, name: str, judge: str, label: LabelConfig, figures: Mapping[str, Any], home: Path) -> dict[str, Any]:
    """A kind's labels, published."""
    who = judge if label.needs_judge else None
    data = home / "data" / re.sub(r"[^A-Za-z0-9.]+", "-", f"{name} {who}" if who else name)
    chosen = {**label.model_dump(mode="json"), "kind": label.kind, **({"judge": who} if who else {})}
    overrides = [f"label.{key}={value}" for key, value in chosen.items() if value is not None]
    republish([run], [f"output_dir={data.resolve()}", "publish.card_sections=[]", *overrides])
    truths = {about: figures["oracles"][where.rpartition(":")[2]] for about, where in ORACLES.items()}
    return {"kind": name, "judge": who, "data": data, "kept": figures["kept_share"], "labels": truths}


def _training(data: Path, settings: Sequence[str], home: Path) -> TrainConfig:
    """The settings of a training on a dataset, with a place for its samples."""
    places = (f"run_dir={home / 'prepared' / data.name}", f"output_dir={home / 'unused'}")
    return load_settings(TrainConfig, CONFIG, [f"name={data.name}", *places, f"data.path={data}", *settings])


def _tokens(config: TrainConfig) -> int:
    """The tokens that a training reads in one epoch: conversations end with their last label."""
    processor = base_model.load_processor(config.model)
    prepared = prepare(config, processor, make_layout(config), context=base_model.context_length(config.model))
    return int(prepared.train.lengths.sum())


def judged(model: Path, data: Path, run: str) -> dict[str, Any]:
    """What a model is worth on the problems that its training held out, by each truth; measured once."""
    kept = model.with_suffix(".json")
    if not kept.is_file():
        critic = ProcessRewardModel.from_pretrained(str(model), dtype="float32")
        training = critic.config.training
        share, seed = training["data"]["held_out"], training["seed"]
        found = {about: held_out(str(data), run, share, seed, truth) for about, truth in TRUTHS.items()}
        scored = scores(critic, found["prefix"])
        measured = {about: worth(solutions, scored, critic.config.middle) for about, solutions in found.items()}
        kept.write_text(json.dumps(measured), encoding="utf-8")
    held: dict[str, Any] = json.loads(kept.read_text(encoding="utf-8"))
    return held


def table(rows: Sequence[Mapping[str, Any]]) -> str:
    """Markdown: of each kind the macro-F1 of its labels, and macro-F1 and AUC of the model that learnt them, by each truth."""
    columns = (f"{what}, {about}" for what in ("labels", "PRM", "PRM's AUC") for about in TRUTHS)
    heads = ("kind", "judge", "kept of mc", *columns)
    shown: list[Row] = []
    for row in rows:
        labels = [row["labels"][about] for about in TRUTHS]
        models = [row["prm"][about] for about in TRUTHS]
        shown.append(
            (
                row["kind"],
                row["judge"] or "",
                percent(row["kept"]),
                *(f"{decimal(one['macro_f1'])} {brackets(one['interval'])}" for one in labels),
                *(f"{decimal(one['macro_f1'])} {brackets(one['macro_f1_interval'])}" for one in models),
                *(decimal(one["roc_auc"]) for one in models),
            )
        )
    one = rows[0]["prm"]["prefix"]
    tokens = [row["tokens"] for row in rows]
    return "\n\n".join(
        [
            markdown_table(heads, shown),
            f"Macro-F1 against the oracle with 95 % intervals over problems: of the labels that are kept, and of the models on "
            f"{one['steps']:,} steps of {one['problems']:,} problems that no training saw. Each model read from {min(tokens):,} "
            f"to {max(tokens):,} tokens.",
        ]
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", help="a run directory of the demo that a judge has judged")
    parser.add_argument("settings", nargs="*", metavar="key.sub=value", help="of the training")
    parser.add_argument("--judge", action="append", default=[], metavar="NAME", help="a judge (all)")
    parser.add_argument("--only", action="append", default=[], metavar="KIND", help="kinds beside mc (all)")
    parser.add_argument("--home", type=Path, help="for datasets and models (outputs/label_kinds/RUN)")
    options = parser.parse_intermixed_args()
    home = options.home or Path("outputs/label_kinds") / Path(options.run).name
    with one_line_errors("label_kinds", goes_on=True):
        rows: list[dict[str, Any]] = []
        for row in weighed(options.run, options.judge, options.only, options.settings, home):
            rows.append(row)
            atomic.write(home / "label_kinds.json", json.dumps(rows, indent=1) + "\n")
            atomic.write(home / "label_kinds.md", table(rows) + "\n")
        print(table(rows))


if __name__ == "__main__":
    main()
