"""`make reproduce`: every claim of the paper tried on the demo, and what became of it."""
