"""What a run will cost, computed before it starts: amounts with intervals, from rows, images and simulated draws. Pure."""
