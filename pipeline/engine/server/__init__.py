"""Engines that run elsewhere, behind URLs: what is asked of them, what of their replies is believed, which of them is asked."""
