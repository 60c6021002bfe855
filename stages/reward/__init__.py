"""What a reward model sees and says: rendering, scoring, files of scores, the server."""
