"""What only an oracle can say: of labels, strategies and critics."""
