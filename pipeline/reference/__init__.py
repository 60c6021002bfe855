"""What every setting means, told from the settings' own types and docstrings."""
