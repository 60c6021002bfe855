"""From sources to a published dataset: load, annotate, publish in one command."""
