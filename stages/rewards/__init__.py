"""Rewards for trainers of policies, from a service that runs (`visualprm serve`)."""
