"""What is done to the data, one file a stage, in the order the data flows. No stage imports another."""
