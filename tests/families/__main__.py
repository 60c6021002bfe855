"""`make families`: tries a policy of each family on the real vLLM, and writes the table into docs/families.md.

    python -m tests.families                 # all
    python -m tests.families qwen3_vl --dry  # one, the document stays as it is

Exit status 1 if a policy did not do what it has to.
"""

from __future__ import annotations

import argparse
import re
import sys
import tempfile
from pathlib import Path

from tests.families.policies import POLICIES, Found, examine, running

DOCUMENT = Path("docs/families.md")
NAMES = {
    "internvl": "InternVL (`-hf`)",
    "qwen2_5_vl": "Qwen2.5-VL",
    "qwen3_vl": "Qwen3-VL",
    "qwen3_5": "Qwen3.5 (hybrid attention)",
    "gemma3": "Gemma 3",
}
_TABLE = re.compile("(?<=<!-- table -->\n).*?(?=\n<!-- end of table -->)", re.DOTALL)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("families", nargs="*", metavar="FAMILY", help=f"of {', '.join(POLICIES)}; all by default")
    parser.add_argument("--dry", action="store_true", help="leave the document as it is")
    options = parser.parse_args()
    found: dict[str, Found] = {}
    for name in options.families or POLICIES:
        with tempfile.TemporaryDirectory() as folder, running(name, Path(folder)) as (engine, do):
            found[name] = examine(engine, do)
        print(f"{name}: {'; '.join(found[name].faults) or 'ok'}", flush=True)
    text = table(found)
    print(text)
    if not options.dry and len(found) == len(POLICIES):
        DOCUMENT.write_text(_TABLE.sub(lambda _: text, DOCUMENT.read_text(encoding="utf-8")), encoding="utf-8")
    sys.exit(any(each.faults for each in found.values()))


def table(found: dict[str, Found]) -> str:
    lines = [
        "| family | pictures in order | several | tokens of a prompt with a picture, and with the source's least limit | "
        "greedy tails | control tokens drawn | prefixes reused |",
        "|---|---|---|---|---|---|---|",
    ]
    for name, each in found.items():
        plain, limited = each.limits
        limit = f"{plain}, {limited}" if plain != limited else f"{plain}: pictures have one size"
        reused = {None: "the cache is off", True: "yes", False: "no"}[each.reused]
        lines.append(
            f"| {NAMES[name]} | {_told(each.in_order)} | {_told(each.several)} | {limit} | {each.tails} of {each.prefixes} | "
            f"{each.control} of {each.drawn} | {reused} |"
        )
    return "\n".join(lines)


def _told(holds: bool) -> str:
    return "yes" if holds else "**no**"


if __name__ == "__main__":
    main()
