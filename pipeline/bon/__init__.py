"""Best-of-N: a frozen pool of candidates, the scores that critics give them, and what both say."""
