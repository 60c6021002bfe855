"""The embedded default: a drawn benchmark, an oracle for its solutions, and a small policy trained on it."""
