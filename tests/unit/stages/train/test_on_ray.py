"""What Ray's workers are given."""

from __future__ import annotations

from stages.train.on_ray import runtime_environment


def test_a_cluster_is_sent_the_code() -> None:
    from pipeline.cluster.session import own_modules

    assert runtime_environment("auto")["py_modules"] == own_modules()
    assert "py_modules" not in runtime_environment(None)
