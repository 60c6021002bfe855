"""Many candidates: why the best of 64 is worse than the best of 8, and which rules of choosing mend that."""
