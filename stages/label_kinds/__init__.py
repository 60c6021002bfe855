"""What each kind of label keeps of a run's steps, and how far the kinds agree with each other, with people and with a truth."""
