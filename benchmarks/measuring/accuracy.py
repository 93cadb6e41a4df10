"""Error curves of both estimators and what reaching an error costs: `accuracy.py` says how."""

import argparse
import itertools
import time
import warnings
from typing import Any

import jax
import numpy as np
import torch
from peers.official import official_pair_contexts, to_torch
from support.common import INNER_RATIOS, Clock, about, print_line, rate, spread, trained

import interjax as ij

RATIOS = ij.OFFICIAL_ALLOCATION["orders"]


class Subject:
    """What is measured: a trained network, some of its inputs in groups, and the pairs that profiles average over."""

    def __init__(self, options: argparse.Namespace):
        data, self.model, self.players = trained(options.network)
        count = options.examples if options.inputs == 1 else options.inputs
        chosen = ij.training.correctly_classified(
            self.model, data.train_x, data.train_y, count=count, key=jax.random.key(1)
        )
        self.baseline = data.train_x.mean(axis=0) if options.baseline == "mean" else 0.0
        self.xs, self.labels = data.train_x[chosen], data.train_y[chosen]
        places = np.arange(count)
        self.groups = list(places[:, None]) if options.inputs == 1 else [places]
        self.pairs = ij.pairs_within(self.players.cells, 2)
        self.data = data

    def games(self, group: np.ndarray) -> list[ij.Game]:
        return ij.masked_games(
            self.model, self.xs[group], self.labels[group], players=self.players, baseline=self.baseline
        )

    def measure(self, group: np.ndarray, repeat: int, **settings: Any) -> ij.OrderProfile:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)  # small budgets are noisy: that is what is measured here
            return ij.order_profile(
                jax.random.key(repeat), self.games(group), orders=RATIOS, pairs=self.pairs, **settings
            )


def official_profile(subject: Subject, group: np.ndarray, repeat: int, n_pairs: int, contexts: int) -> np.ndarray:
    """J^(m) by the papers' estimator: `n_pairs` distinct pairs an input, `contexts` contexts a pair, mean |mean|.

    Pairs with a null player are left out of the measuring, since each of their observations is 0.
    """
    strength = np.zeros(len(RATIOS))
    for place, game in enumerate(subject.games(group)):
        draw_key, context_key = jax.random.split(jax.random.fold_in(jax.random.key(repeat), place))
        chosen = subject.pairs[np.asarray(jax.random.permutation(draw_key, len(subject.pairs)))[:n_pairs]]
        live = chosen if game.is_null is None else chosen[~np.asarray(game.is_null)[chosen].any(axis=1)]
        if len(live):
            found = ij.order_interactions(
                context_key, game, orders=RATIOS, pairs=live, contexts=contexts, method="quadruples"
            )
            strength += np.abs(found.mean).sum(axis=1) / n_pairs
    return strength / strength.mean()


def official_passes(inputs: int, n_pairs: int, contexts: int) -> int:
    """Forward passes of the papers' estimator, the two end orders counted with their single context."""
    return 4 * inputs * n_pairs * (contexts * (len(RATIOS) - 2) + 2)


def check_null_pairs(subject: Subject) -> None:
    """Pairs with a null player interact by exactly 0 in the network's values."""
    for game in subject.games(subject.groups[0][:1]):
        null = np.array([]) if game.is_null is None else subject.pairs[np.asarray(game.is_null)[subject.pairs].any(1)]
        if len(null):
            found = ij.order_interactions(
                jax.random.key(0), game, orders=[0.1, 0.5], pairs=null[:50], contexts=5, method="quadruples"
            )
            if np.any(found.mean != 0):
                raise SystemExit("pairs with a null player have interactions other than 0: nothing was measured")


def errors(profiles: list[list[np.ndarray]], references: list[np.ndarray]) -> dict[str, float]:
    """Root mean square error over groups, repeats and orders, with its standard error over repeats."""
    relative = np.array([[one / truth - 1 for one in row] for row, truth in zip(profiles, references, strict=True)])
    by_repeat = np.mean(relative**2, axis=(0, 2))
    rms = float(np.sqrt(by_repeat.mean()))
    stderr = by_repeat.std(ddof=1) / np.sqrt(len(by_repeat)) / (2 * rms) if len(by_repeat) > 1 else float("nan")
    return {
        "rms_error": rms,
        "rms_error_stderr": float(stderr),
        "mean_abs_bias": float(np.mean(np.abs(relative.mean(axis=1)))),
    }


def passes_for(error: float, curve: list[dict[str, Any]]) -> float:
    """Fewest passes at which a curve reaches an error: a power law between the points that bracket it."""
    best = sorted(curve, key=lambda point: point["passes"])
    front = [
        point for i, point in enumerate(best) if point["rms_error"] < min([p["rms_error"] for p in best[:i]] or [9])
    ]
    for left, right in itertools.pairwise(front):
        if left["rms_error"] >= error >= right["rms_error"]:
            share = np.log(left["rms_error"] / error) / np.log(left["rms_error"] / right["rms_error"])
            return float(np.exp(np.log(left["passes"]) + share * np.log(right["passes"] / left["passes"])))
    return float("nan") if front[-1]["rms_error"] > error else front[0]["passes"]


def official_curve(options: argparse.Namespace, subject: Subject, references: list[np.ndarray]) -> list[dict[str, Any]]:
    curve = []
    for n_pairs, contexts in options.official:
        repeats = range(1000, 1000 + (options.official_repeats or options.repeats))
        found = [[official_profile(subject, group, r, n_pairs, contexts) for r in repeats] for group in subject.groups]
        passes = official_passes(options.inputs, n_pairs, contexts)
        point = {"pairs": n_pairs, "contexts": contexts, "passes": passes} | errors(found, references)
        curve.append(point)
        print_line(estimator="official", **point)
    return curve


def our_curve(options: argparse.Namespace, subject: Subject, references: list[np.ndarray]) -> list[dict[str, Any]]:
    """Error, passes and seconds of each allocation; seconds are of one whole profile without compiling."""
    curve = []
    for n_pairs, contexts in options.ours:
        profiles: list[list[np.ndarray]] = []
        passes, seconds = [], []
        subject.measure(subject.groups[0], 999, contexts=contexts, n_pairs=n_pairs)  # compiles
        for group in subject.groups:
            profiles.append([])
            for repeat in range(1000, 1000 + options.repeats):
                start = options.clock()
                found = subject.measure(group, repeat, contexts=contexts, n_pairs=n_pairs)
                seconds.append(options.clock() - start)
                profiles[-1].append(found.strength)
                passes.append(found.n_forwards)
        point = {"pairs": n_pairs or "default", "contexts": contexts or "default", "passes": float(np.mean(passes))}
        point |= errors(profiles, references) | {"seconds": spread(seconds)}
        curve.append(point)
        print_line(estimator="interjax", **point)
    return curve


def official_rate(options: argparse.Namespace, subject: Subject) -> float:
    """Forward passes a second of the released code's way in PyTorch, over the inner orders in turn."""
    peer = to_torch(subject.model).eval()
    cells, _ = subject.players.cells
    x = torch.as_tensor(np.asarray(subject.xs[0])).permute(2, 0, 1)[None].contiguous()
    orders = itertools.cycle([int((subject.players.n - 2) * ratio) for ratio in INNER_RATIOS])
    random, label = np.random.default_rng(1), int(subject.labels[0])
    pairs = itertools.cycle(subject.pairs[:, None])

    def work() -> int:
        found = official_pair_contexts(peer, x, next(pairs), next(orders), 100, cells, label, random)
        return 4 * found.size

    with torch.inference_mode():
        return rate(work, options.seconds, options.clock)


def compile_seconds(clock: Clock, subject: Subject, point: dict[str, Any]) -> float:
    """What the first profile of a process takes longer than a later one."""
    n_pairs, contexts = (None if point[name] == "default" else point[name] for name in ("pairs", "contexts"))
    jax.clear_caches()
    start = clock()
    subject.measure(subject.groups[0], 1000, n_pairs=n_pairs, contexts=contexts)
    return clock() - start - point["seconds"]["median"]


def compare_passes(inputs: int, official: list[dict[str, Any]], ours: list[dict[str, Any]]) -> None:
    for point in official:
        needed = passes_for(point["rms_error"], ours)
        print_line(
            comparison="passes at equal error",
            inputs=inputs,
            official_pairs=point["pairs"],
            official_contexts=point["contexts"],
            at_rms_error=point["rms_error"],
            official_passes=point["passes"],
            interjax_passes=needed,
            ratio=point["passes"] / needed,
        )


def compare_times(
    options: argparse.Namespace, subject: Subject, official: list[dict[str, Any]], ours: list[dict[str, Any]]
) -> None:
    """Seconds to the target: the official ones multiplied, interjax's measured.

    Two official figures: its cheapest way to the target, by the curve (null if no allocation tried reaches it), and
    the papers' allocation, whatever its error.
    """
    per_second = official_rate(options, subject)
    print_line(official_pytorch_passes_per_second=per_second, inputs=options.inputs)
    reaching = [point for point in ours if point["rms_error"] <= options.target]
    if not reaching:
        print_line(comparison="time to target", target=options.target, problem="no allocation of interjax reaches it")
        return
    cheapest = min(reaching, key=lambda point: point["seconds"]["median"])
    own = cheapest["seconds"]["median"]
    compiling = compile_seconds(options.clock, subject, cheapest)
    against: dict[str, dict[str, float]] = {"cheapest_to_target": {"passes": passes_for(options.target, official)}}
    for point in official:
        if (point["pairs"], point["contexts"]) == (200, 100):
            against["papers_allocation"] = {name: point[name] for name in ("rms_error", "passes")}
    for figures in against.values():
        figures["seconds"] = figures["passes"] / per_second
        figures["times_as_long"] = figures["seconds"] / own
        figures["times_as_long_with_compiling"] = figures["seconds"] / (own + compiling)
    print_line(
        comparison="time to target",
        network=options.network,
        inputs=options.inputs,
        baseline=options.baseline,
        target=options.target,
        interjax=cheapest | {"compile_seconds": compiling},
        official=against,
        official_note="passes of its error curve over PyTorch's measured passes a second; not run as a whole",
    )


def run(options: argparse.Namespace) -> None:
    """Print the reference's line, the curves and what follows from them."""
    if options.threads:
        torch.set_num_threads(options.threads)
    subject = Subject(options)
    start = time.perf_counter()
    found = [
        subject.measure(group, 0, contexts=options.reference_contexts, n_pairs=len(subject.pairs))
        for group in subject.groups
    ]
    print_line(
        benchmark="accuracy",
        **about(options.clock, options.threads),
        data=subject.data.name,
        network=options.network,
        test_accuracy=ij.training.accuracy(subject.model, subject.data.test_x, subject.data.test_y),
        players=subject.players.n,
        inputs=options.inputs,
        baseline=options.baseline,
        examples=len(subject.groups),
        pairs=len(subject.pairs),
        repeats=options.repeats,
        reference_contexts=options.reference_contexts,
        reference_passes=[one.n_forwards for one in found],
        reference_relative_stderr=float(np.mean([one.stderr_within / one.strength for one in found])),
        reference_seconds=round(time.perf_counter() - start, 1),
    )
    references = [one.strength for one in found]
    check_null_pairs(subject)
    ours = our_curve(options, subject, references)
    official = official_curve(options, subject, references)
    compare_passes(options.inputs, official, ours)
    compare_times(options, subject, official, ours)
