"""A second opinion on every step: a model that reads problem, picture and solution, and a ledger of what it says."""
