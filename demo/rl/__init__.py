"""`make rl`: what step scores are worth as the reward of a policy, tried on the demo with TRL's GRPO."""
