"""Problems to a ledger: the Ray graph that samples solutions and draws continuations."""
