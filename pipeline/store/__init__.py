"""The run directory, on a local disk or an object store: its layout, its lock, and what of it is complete.

config.yaml            the resolved configuration
ledger.json            what the ledger's content depends on, as flat keys
problems/*.parquet     the problems; complete once problems.json is there
quarantine/*.jsonl     rows that were refused, with id and reason
annotations/*.parquet  the ledger; a file's name ends with its size and SHA-256
checkpoint/            Ray Data's record of the problems that are done
progress/*.json        counters of each engine of the last call
times.json             how long the calls before it took
logs/*.log             what Ray, vLLM and other libraries said
engines/*.json         kind, model and versions of the engines that drew the ledger
attempts/*.json        problems that engines died over since the last call
published.json         what was published last, and a hash of its stats.json
judgements/*/          what a judge says of steps: a directory of this layout for each judge, by its name
hand_labels.json       what people say of steps, from `visualprm annotate export --run`
reverified/            verdicts given anew by the last `publish`: the ledger without texts, and flips.json
manifest.json          what the files were when they were written (`pipeline/manifest.py`); those of engines are not in it
damaged/               ledger files that were not what was written; their problems were annotated again
driver.lock            held by the one driver
"""

from __future__ import annotations

from pipeline.store.ledger_files import PENDING_SUFFIX, block_of, columns, map_over, named_sum
from pipeline.store.places import beside, full, open_uri
from pipeline.store.refusals import one_line_io_errors, store_refusal
from pipeline.store.run_directory import Store, json_text

__all__ = [
    "PENDING_SUFFIX",
    "Store",
    "beside",
    "block_of",
    "columns",
    "full",
    "json_text",
    "map_over",
    "named_sum",
    "one_line_io_errors",
    "open_uri",
    "store_refusal",
]
