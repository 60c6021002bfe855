"""Faults injected into runs and datasets, and what the commands make of them: `make faults`."""
