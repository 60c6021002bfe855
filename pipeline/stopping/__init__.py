"""How a command ends early: by its user, or by itself for a reason."""
