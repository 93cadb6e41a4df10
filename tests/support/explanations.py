"""Explanations made by hand, which tests of statistics of concepts share."""

import numpy as np

from interjax.concepts._explanations._effects import AndOr


def and_or(and_effects, or_effects):
    """An explanation with these effects; what the statistics do not look at is 0."""
    and_effects, or_effects = np.asarray(and_effects, float), np.asarray(or_effects, float)
    games = np.zeros(and_effects.shape[:-1])
    return AndOr(and_effects, or_effects, games, games, games, games, np.zeros_like(and_effects), games)


def random_effects(*shape, seed=0):
    """Effects of which about half are 0."""
    random = np.random.default_rng(seed)
    return random.normal(size=shape) * (random.random(shape) < 0.5)
