"""Effects around `stages/exchange`: released corpora in, other people's formats out."""
