"""Cells of the coverage benchmark: what is estimated, how, and what its intervals held."""

import functools
import time
import warnings
from argparse import Namespace
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import jax
import numpy as np
from support.common import about, print_line

import interjax as ij

CONTEXTS = (2, 5, 10, 20)
INPUTS = (2, 3, 5, 10, 30)
METHODS = ("blocks", "quadruples", "regression")
KINDS = ("network", "tanh", "sparse", "near-additive", "heavy")
WANTED = (0.93, 0.98)
_DRAWN = 30  # pairs, of up to 120
_PLAYERS, _OF_POPULATION, _NETWORKS = 12, 9, 200


class Held(NamedTuple):
    """One run: estimate, ends of its intervals, the truth, and what counts; all of one shape."""

    estimate: np.ndarray
    lower: np.ndarray
    upper: np.ndarray
    truth: np.ndarray
    counts: np.ndarray


Cell = Callable[[int], Held]  # the number of the run -> what it found


def table(kind: str, players: int, random: np.random.Generator) -> np.ndarray:
    """A game's values: of a ReLU or tanh network, of few ANDs, the largest player's, nearly additive, or of very
    different size."""
    masks = (np.arange(2**players)[:, None] >> np.arange(players) & 1).astype(float)
    x = random.normal(size=players)
    if kind == "sparse":
        sets = [random.choice(players, random.integers(2, 5), replace=False) for _ in range(5)]
        return sum(random.normal() * masks[:, members].prod(axis=1) for members in sets)
    if kind == "spiked":
        return masks[:, :6].prod(axis=1)
    if kind == "largest":
        return (masks * random.random(players)).max(axis=1)
    if kind == "near-additive":
        return masks @ x + 0.02 * np.tanh(masks @ random.normal(size=players))
    first, second = random.normal(size=(players, 16)) / np.sqrt(players), random.normal(size=16) / 4
    if kind == "network":
        return np.maximum((masks * x) @ first * 3 + random.normal(size=16) / 2, 0) @ second
    values = np.tanh((masks * x) @ first) @ second
    return values * np.exp(random.normal()) if kind == "heavy" else values


def strengths(values: np.ndarray) -> np.ndarray:
    """E|I^(m)| over all pairs, (orders,)."""
    exact = ij.exact_order_interactions(values)
    return np.abs(exact[:, *np.triu_indices(exact.shape[1], 1)]).mean(axis=1)


def games(data: str | None) -> dict[str, np.ndarray]:
    """Tables of values by name."""
    found = {kind: table(kind, _PLAYERS, np.random.default_rng(0)) for kind in (*KINDS, "spiked", "largest")}
    for path in sorted(Path(data, "games").glob("*.npz")) if data else []:
        with np.load(path) as kept:
            found[path.stem] = kept["table"].astype(float)
    return found


def interactions(values: np.ndarray, method: str, contexts: int) -> Cell:
    """Interactions of all pairs at all orders that are not exact."""
    game, exact = ij.Game.from_table(values), ij.exact_order_interactions(values)
    truth = exact[:, *np.triu_indices(exact.shape[1], 1)]

    def cell(number: int) -> Held:
        found = ij.order_interactions(jax.random.key(number), game, method=method, contexts=contexts, exact=False)
        return Held(found.mean, *found.interval(), truth[found.orders], ~found.exact)

    return cell


def profile(values: np.ndarray, contexts: int, n_pairs: int | None = None) -> Cell:
    """The profile of one input, of all pairs or of some that are drawn."""
    game, truth = ij.Game.from_table(values), strengths(values)

    def cell(number: int) -> Held:
        found = ij.order_profile(jax.random.key(number), game, contexts=contexts, n_pairs=n_pairs, exact=False)
        relative = truth[found.orders] / truth[found.orders].mean()
        return Held(found.strength, *found.interval(), relative, np.ones(len(relative), bool))

    return cell


def budget(values: np.ndarray, contexts: int) -> Cell:
    """The profile of one input from as many passes as so many contexts at every order take."""
    game, truth = ij.Game.from_table(values), strengths(values)
    passes = ij.order_profile(jax.random.key(0), game, contexts=contexts, exact=False).n_forwards

    def cell(number: int) -> Held:
        found = ij.order_profile(jax.random.key(number), game, n_forwards=passes, exact=False)
        relative = truth[found.orders] / truth[found.orders].mean()
        return Held(found.strength, *found.interval(), relative, np.ones(len(relative), bool))

    return cell


def information(cells: int, samples: int) -> Cell:
    """I(S;T) of a random distribution of two sources and a target, from samples."""
    random = np.random.default_rng(cells)
    joint = random.dirichlet(np.ones(cells * cells * 4)).reshape(cells, cells, 4)
    known = joint.sum(axis=(0, 1)) * joint.sum(axis=2, keepdims=True)
    truth = np.sum(joint * np.log2(joint / known))

    def cell(number: int) -> Held:
        drawn = np.random.default_rng([number, samples]).choice(joint.size, samples, p=joint.ravel())
        *sources, target = np.unravel_index(drawn, joint.shape)
        found = ij.pid.representational_complexity(np.stack(sources, axis=1), target, key=jax.random.key(number))
        if not found.reliable:  # its word for what a warning says elsewhere
            warnings.warn(found.reason, stacklevel=2)
        ends = (np.array([end]) for end in found.information_interval())
        return Held(np.array([found.corrected_information]), *ends, np.array([truth]), np.array([True]))

    return cell


@functools.cache
def population(kind: str) -> tuple[list[ij.Game], np.ndarray]:
    """Random games and their J, that of them all."""
    random = np.random.default_rng(0)
    tables = [table(kind, _OF_POPULATION, random) for _ in range(_NETWORKS)]
    whole = np.mean([strengths(values) for values in tables], axis=0)
    return [ij.Game.from_table(values) for values in tables], whole / whole.mean()


def profiles(kind: str, inputs: int, contexts: int) -> Cell:
    """The profile of a few inputs of a population."""

    def cell(number: int) -> Held:
        every, truth = population(kind)
        drawn = np.random.default_rng([number, inputs]).choice(len(every), inputs)
        found = ij.order_profile(
            jax.random.key(number), [every[place] for place in drawn], contexts=contexts, exact=False
        )
        return Held(found.strength, *found.interval(), truth, np.ones(len(truth), bool))

    return cell


def cells(data: str | None) -> Iterator[tuple[dict[str, object], Callable[[], Cell]]]:
    """What identifies each cell, and how it is made."""
    for name, values in games(data).items():
        for contexts in CONTEXTS:
            for method in METHODS:
                named = {"cell": "interactions", "game": name, "method": method, "contexts": contexts}
                yield named, functools.partial(interactions, values, method, contexts)
            named = {"cell": "profile", "game": name, "inputs": 1, "contexts": contexts}
            yield named, functools.partial(profile, values, contexts)
            if contexts > CONTEXTS[0]:
                yield named | {"cell": "budget"}, functools.partial(budget, values, contexts)
            yield named | {"cell": "sampled", "pairs": _DRAWN}, functools.partial(profile, values, contexts, _DRAWN)
    for size in (2, 4, 8, 16):
        for samples in (100, 1000):
            named = {"cell": "information", "cells": size * size, "samples": samples}
            yield named, functools.partial(information, size, samples)
    for kind in KINDS:
        for inputs in INPUTS:
            for contexts in CONTEXTS:
                named = {"cell": "profile", "population": kind, "inputs": inputs, "contexts": contexts}
                yield named, functools.partial(profiles, kind, inputs, contexts)


def measure(cell: Cell, runs: int) -> dict[str, object]:
    """Share of intervals that hold the truth over the runs of a cell, with what else tells of them."""
    shares, by_order, estimates, widths, warned, started = [], [], [], [], 0, time.process_time()
    for number in range(runs):
        with warnings.catch_warnings(record=True) as told:
            warnings.simplefilter("always")
            found = cell(number)
        warned += bool(told)
        rounding = 1e-9 * np.abs(found.truth).max()
        held = (found.lower <= found.truth + rounding) & (found.truth - rounding <= found.upper)
        if not found.counts.any():
            return {"exact": True}
        shares.append(held[found.counts].mean())
        with np.errstate(invalid="ignore"):
            by_order.append(np.where(found.counts, held, np.nan).reshape(len(held), -1))
        estimates.append(found.estimate[found.counts])
        widths.append((found.upper - found.lower)[found.counts])
    if np.isnan(estimates).all():
        return {"runs": runs, "undefined": True, "warned": round(warned / runs, 3)}
    coverage, reach = np.mean(shares), 2.576 * np.std(shares, ddof=1) / np.sqrt(runs)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # orders without anything that counts
        worst = np.nanmin(np.nanmean(np.mean(by_order, axis=0), axis=1))
        ideal = 2 * 1.96 * np.std(estimates, axis=0)
        known = ideal > 1e-9 * np.abs(estimates).max()  # what varies by more than rounding
        if not known.any():
            return {"exact": True}
        width = np.nanmedian(np.median(widths, axis=0)[known] / ideal[known])
    holds = bool(coverage + reach >= WANTED[0] and coverage - reach <= WANTED[1])
    return {
        "runs": runs,
        "coverage": round(float(coverage), 4),
        "interval_99": [round(float(coverage - reach), 4), round(float(min(1.0, coverage + reach)), 4)],
        "worst_order": round(float(worst), 3),
        "width_over_ideal": round(float(width), 2),
        "warned": round(warned / runs, 3),
        "holds_or_warns": holds or warned >= 0.95 * runs,
        "cpu_seconds": round(time.process_time() - started, 1),
    }


def run(options: Namespace) -> None:
    """Print what was measured where, and a line for each cell that was wished for."""
    print_line(**about(time.process_time, 0))
    for named, make in cells(options.data):
        name = " ".join(map(str, named.values()))
        if not any(all(word in name.split() for word in wish.split()) for wish in options.cells):
            continue
        line = named if options.list else named | measure(make(), options.runs)
        print_line(**line)
