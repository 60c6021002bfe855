"""Dataset to reward model: prepared samples, transformers' own Trainer, the model's folder."""
