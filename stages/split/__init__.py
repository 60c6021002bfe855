"""Text to steps and back to places in it: what a step is, by the kinds of `split.kind`. No character is lost."""

from stages.split.kinds import told
from stages.split.own import check_kind
from stages.split.steps import Span, boundaries, places, spans, split

__all__ = ["Span", "boundaries", "check_kind", "places", "spans", "split", "told"]
