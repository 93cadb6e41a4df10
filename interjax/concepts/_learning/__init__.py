"""Concepts over the training of a network."""
