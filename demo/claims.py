"""The paper's claims beside what the demo says of them: the text of docs/reproduction.md from the reports' numbers."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pipeline.markdown import markdown_table

Json = dict[str, Any]
MEAN = "mean"
NAMES = {
    "base": "base policy, untrained",
    "value": "value, all steps, threshold 0",
    "advantage": "advantage",
    "stop": "value, stopped at the first error",
    "orm": "outcome (ORM)",
    "threshold-1-16": "value, threshold 1/16",
    "threshold-1-8": "value, threshold 1/8",
    "threshold-1-4": "value, threshold 1/4",
}


@dataclass(frozen=True)
class Results:
    """What the evaluators wrote: a bench report a critic, and a report of each pool."""

    bench: Mapping[str, Json]
    small: Json
    large: Json

    @classmethod
    def read(cls, bench: Path, critics: Sequence[str], small: Path, large: Path) -> Results:
        """The reports of these critics; an outcome model has none on the bench of steps."""
        kept = [name for name in NAMES if name in critics and name != "orm"]
        reports = {name: json.loads((bench / name / "report.json").read_text()) for name in kept}
        pools = [json.loads((pool / "report" / "report.json").read_text()) for pool in (small, large)]
        return cls(reports, *pools)


@dataclass(frozen=True)
class Claim:
    """A claim of the paper, its numbers there, and the difference here that should be above 0."""

    text: str
    paper: str
    difference: Json | None
    what: str

    @property
    def verdict(self) -> str:
        """By the 95 % interval of the difference."""
        if self.difference is None:
            return "not measured"
        if self.difference["low"] > 0:
            return "reproduced"
        return "not reproduced" if self.difference["high"] < 0 else "undecided"


def document(results: Results, seconds: Mapping[str, float], problems: int, test_problems: int) -> str:
    """The whole report as Markdown."""
    hours = sum(seconds.values()) / 3600
    return "\n".join(
        [
            "# The paper's claims, tried on the demo",
            "",
            "Written by `make reproduce`. The demo's problems are drawn and its policy is tiny, so what is reproduced here is",
            "the method and its claims in kind, not the paper's numbers. Steps are judged by the demo's exact oracle.",
            "",
            f"{problems:,} problems for the dataset (4 solutions, 16 draws a step, one ledger for every variant), "
            f"{test_problems} other ones for the test (64 candidates each, temperature 1). All seeds are 0. "
            f"{hours:.1f} hours in all.",
            "",
            "## Claims",
            "",
            _claims(results),
            "",
            "A claim is *reproduced* where the 95 % interval of the paired difference lies above 0, *not reproduced* where",
            "it lies below, else *undecided*. Best-of-N intervals resample problems, step intervals resample solutions.",
            "",
            "## Wrong steps found",
            "",
            "Macro-F1 over all steps of the test's solutions, the threshold tuned on a fifth of the problems and reported on",
            "the rest; the difference is to the first row. Always-right and a fair coin need no model.",
            "",
            _steps(results),
            "",
            "## Best of 8, every critic",
            "",
            _best_of_8(results.small),
            "",
            "## Best of N",
            "",
            _best_of_n(results.large),
            "",
            "## Time",
            "",
            markdown_table(("task", "minutes"), [(name, f"{value / 60:.1f}") for name, value in seconds.items()]),
            "",
        ]
    )


def _claims(results: Results) -> str:
    last = max(results.large["sizes"])
    half = [size for size in results.large["sizes"] if size < last][-1]
    bench, small, large = results.bench, results.small, results.large
    claims = [
        Claim("a PRM finds wrong steps better than the model that it was made from", "48.0 → 62.0 macro-F1",
              _reversed(_against(bench, "base")), "macro-F1"),
        Claim("the PRM's best of 8 beats pass@1", "32.8 → 41.2", _compared(large, "value", "pass@1", 8), "accuracy"),
        Claim("… beats self-consistency", "38.8, 41.2", _compared(large, "value", "self-consistency", 8), "accuracy"),
        Claim("… beats an outcome reward model", "39.7, 41.2", _compared(large, "value", "orm", 8), "accuracy"),
        Claim(f"the PRM beats self-consistency at N = {last}", "40.9, 43.5",
              _compared(large, "value", "self-consistency", last), "accuracy"),
        Claim(f"the PRM gains as N grows ({half} to {last})", "42.7 → 43.5", _gain(large, half, last), "accuracy"),
        Claim("value labels beat advantage labels, on steps", "55.0, 62.0", _reversed(_against(bench, "advantage")),
              "macro-F1"),
        Claim("… and in best of 8", "37.4, 41.1", _compared(small, "value", "advantage", 8), "accuracy"),
        Claim("all steps beat stopping at the first error, on steps", "61.6, 62.0", _reversed(_against(bench, "stop")),
              "macro-F1"),
        Claim("… and in best of 8", "40.6, 41.1", _compared(small, "value", "stop", 8), "accuracy"),
        *(Claim(f"threshold 0 beats {text}, on steps", paper, _reversed(_against(bench, name)), "macro-F1")
          for name, text, paper in (("threshold-1-16", "1/16", "61.0, 62.0"), ("threshold-1-8", "1/8", "60.7, 62.0"),
                                    ("threshold-1-4", "1/4", "60.2, 62.0"))),
    ]  # fmt: skip
    rows = [(c.text, c.paper, f"{c.what} {_signed(c.difference)}", c.verdict) for c in claims]
    return markdown_table(("claim", "paper", "difference here", "verdict"), rows)


def _against(bench: Mapping[str, Json], name: str) -> Json | None:
    """This critic's macro-F1 minus that of `value`."""
    return bench[name]["against"]["macro_f1"] if name in bench and "against" in bench[name] else None


def _reversed(difference: Json | None) -> Json | None:
    if difference is None:
        return None
    return {"mean": -difference["value"], "low": -difference["high"], "high": -difference["low"]}


def _label(critic: str) -> str:
    return critic if critic in ("orm", "pass@1", "self-consistency") else f"{critic} ({MEAN})"


def _compared(report: Json, first: str, second: str, n: int) -> Json | None:
    """Accuracy of the first minus the second at this N."""
    wanted = (_label(first), _label(second))
    for row in report["comparisons"]:
        if row["n"] == n and (row["first"], row["second"]) == wanted:
            return row
        if row["n"] == n and (row["second"], row["first"]) == wanted:
            return {"mean": -row["mean"], "low": -row["high"], "high": -row["low"]}
    return None


def _gain(report: Json, before: int, after: int) -> Json | None:
    """The gain of the PRM from one N to another; bounds from the two intervals, which is wider than a paired one."""
    found = {row["n"]: row for row in _accuracy(report, _label("value"))}
    if before not in found or after not in found:
        return None
    return {
        "mean": found[after]["mean"] - found[before]["mean"],
        "low": found[after]["low"] - found[before]["high"],
        "high": found[after]["high"] - found[before]["low"],
    }


def _accuracy(report: Json, label: str) -> Sequence[Json]:
    return next((method["accuracy"] for method in report["methods"] if method["label"] == label), [])


def _steps(results: Results) -> str:
    rows = []
    for name in ("value", *(name for name in results.bench if name != "value")):
        report = results.bench[name]
        pooled, against = report["pooled"], report.get("against")
        difference = _signed(_plain(against["macro_f1"])) if against else ""
        first = pooled["first_error_accuracy"]
        rows.append((NAMES[name], _percent(pooled["macro_f1"]), _percent(pooled["auc"]), _percent(first), difference))
    return markdown_table(("critic", "macro-F1", "AUC", "first error found", "difference"), rows)


def _best_of_8(report: Json) -> str:
    rows = [
        (method["label"], _percent(_plain(at)))
        for method in report["methods"]
        for at in method["accuracy"]
        if at["n"] == 8 and method["aggregate"] in (None, MEAN, "min", "last", "max", "product")
    ]
    return markdown_table(("chosen by", "accuracy"), rows)


def _best_of_n(report: Json) -> str:
    kept = [method for method in report["methods"] if method["aggregate"] in (None, MEAN)]
    rows = [(method["label"], *(_percent(_plain(at)) for at in method["accuracy"])) for method in kept]
    sizes = report["sizes"]
    return markdown_table(("chosen by", *(f"N = {size}" for size in sizes)), rows)


def _plain(measure: Json) -> Json:
    return {"mean": measure.get("mean", measure.get("value")), "low": measure["low"], "high": measure["high"]}


def _percent(measure: Json) -> str:
    if not measure:
        return "–"
    found = _plain(measure)
    return (
        "–"
        if found["mean"] is None
        else f"{found['mean']:.1%} [{found['low']:.1%}, {found['high']:.1%}]".replace("%", "")
    )


def _signed(difference: Json | None) -> str:
    if difference is None:
        return ""
    return f"{100 * difference['mean']:+.1f} [{100 * difference['low']:+.1f}, {100 * difference['high']:+.1f}]"
