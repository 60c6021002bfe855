"""Ray: how a command joins a cluster or starts Ray on this machine, and leaves it."""
