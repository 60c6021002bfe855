"""`visualprm add`: looks at a benchmark's files and writes the entry that reads them, for a person to confirm."""
