"""Sources to problem files: rows are read, checked and numbered; bad ones are kept aside with their reason."""
