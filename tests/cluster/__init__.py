"""Runs on a real Ray cluster: two nodes on this machine, whose Python has the packages and none of our code."""
