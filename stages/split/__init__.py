"""Text to steps and back to places in it: what a step is, by the kinds of `split.kind`. No character is lost."""

from stages.split.kinds import told
from stages.split.own import check_kind
from stages.split.steps import Piece, Span, boundaries, context_in, places, spans, split, steps_of
from stages.split.thinking import opens

__all__ = [
    "Piece",
    "Span",
    "boundaries",
    "check_kind",
    "context_in",
    "opens",
    "places",
    "spans",
    "split",
    "steps_of",
    "told",
]
