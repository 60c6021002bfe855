"""What is common to all commands: how they are declared and parsed, what they answer, how they end."""
