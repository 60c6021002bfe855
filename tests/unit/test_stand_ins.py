"""What stands in for a part of the program in slow tests is called as that part is: else they break and nobody sees it."""

from __future__ import annotations

import inspect

from stages.annotate.graph import annotate_problems
from tests.faults.alone import annotate_here


def test_annotating_without_ray_is_called_as_annotating_with_it() -> None:
    assert inspect.signature(annotate_here) == inspect.signature(annotate_problems)
