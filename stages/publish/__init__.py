"""Ledger to dataset: labels, shards, card and statistics."""
