"""Measures a critic on a bench of steps that people, or an oracle, labelled.

bench.py reads, critic.py says what a critic is, threshold.py decides, metrics.py counts, report.py gathers,
table.py and plots.py show.
"""
