"""What each rollout strategy would cost, and what its labels would be worth, replayed over draws that are there."""
