"""What this machine gives to a node of Ray that is started on it."""
