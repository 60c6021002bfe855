"""`make reproduce`: the paper's claims tried on the demo, and what became of them."""
