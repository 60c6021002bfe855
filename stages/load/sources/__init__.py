"""What `load` reads: rows from files, datasets and functions, and the images that they name."""
