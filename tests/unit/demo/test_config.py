"""What the demo's ids and seeds follow from. A change here makes another dataset: CHANGELOG must say so."""

from __future__ import annotations

from pipeline.config import load_config
from pipeline.engine.policy import model_fingerprint, policy_key
from pipeline.inputs import read_input
from pipeline.records import Problem
from pipeline.seeds import base_seed
from stages.annotate.sample import Template
from stages.load.problems import read_sources
from tests.places import ROOT

KEY = "d53d8efe36e2"
IDS = ["c48b60c35b20e192bd95914ac12380d9", "c06450ba74f05a1281be7e150b801638"]


def test_the_demos_ids_and_seeds() -> None:
    config = load_config(ROOT / "configs/demo.yaml", ["sources.0.kwargs.count=2"])
    template = Template(read_input("prompt", config.prompt, config.folders))
    assert policy_key(model_fingerprint(config.engine), template.sha, config) == KEY
    assert [item.problem_id for item in read_sources(config) if isinstance(item, Problem)] == IDS
    assert base_seed(config.seed, IDS[0], KEY, "solutions") == 117531467339742
    assert base_seed(config.seed, IDS[0], KEY, "s0", 1) == 157835117928261
