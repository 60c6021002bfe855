"""What a person reads while a command works: lines of ours, one bar, and no line of another library."""
