"""The old home of the oracle's report: runs made before name it in `publish.card_sections`."""

from demo.checks.report import card_section, oracle

__all__ = ["card_section", "oracle"]
