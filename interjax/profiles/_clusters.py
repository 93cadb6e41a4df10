"""Which pairs of an input to measure: all of a population, or random clusters of pairs that share players.

A cluster is a few players together with all wanted pairs among them, so that one context serves many pairs. It is
drawn as a random player's neighbourhood in the graph of wanted pairs, thinned at random; since pairs then enter with
unequal probabilities (pairs of close players more often), each gets the inverse of its probability as weight.
"""

import dataclasses

import jax
import numpy as np

from interjax._core._keys import host_generator

_MOST_AGAIN = 1000  # draws of clusters that were drawn before


@dataclasses.dataclass(frozen=True)
class Cluster:
    """Pairs measured together: int (pairs, 2) and their weights (pairs,), mean 1 over the population."""

    pairs: np.ndarray
    weights: np.ndarray


@dataclasses.dataclass(frozen=True)
class PairPopulation:
    """The pairs that a profile averages over, prepared for drawing clusters.

    Attributes:
        pairs: int (pairs, 2), i < j, distinct.
        n_players: number of players.
        adjacent: bool (n, n), True for a wanted pair and on the diagonal.
    """

    pairs: np.ndarray
    n_players: int
    adjacent: np.ndarray

    @classmethod
    def of(cls, pairs: np.ndarray, n_players: int) -> "PairPopulation":
        adjacent = np.eye(n_players, dtype=bool)
        adjacent[pairs[:, 0], pairs[:, 1]] = adjacent[pairs[:, 1], pairs[:, 0]] = True
        return cls(pairs, n_players, adjacent)

    def whole(self) -> Cluster:
        """Every pair, each with weight 1."""
        return Cluster(self.pairs, np.ones(len(self.pairs)))

    def separate(self, key: jax.Array, count: int) -> list[Cluster]:
        """`count` distinct pairs drawn uniformly, each a cluster of its own."""
        chosen = host_generator(key).choice(len(self.pairs), count, replace=False)
        return [Cluster(self.pairs[[number]], np.ones(1)) for number in np.sort(chosen)]

    def clusters(self, key: jax.Array, count: int, players: int) -> list[Cluster]:
        """At least `count` pairs in independent clusters of at most `players` players."""
        random = host_generator(key)
        weight_of_pair = self._weights(players)
        drawn, found, seen, again = [], 0, set(), 0
        while found < count:
            centre = random.choice(np.flatnonzero(self.adjacent.sum(axis=1) > 1))
            members = np.flatnonzero(self.adjacent[centre])
            if len(members) > players:
                members = np.sort(random.choice(members, players, replace=False))
            first, second = np.nonzero(np.triu(self.adjacent[np.ix_(members, members)], 1))
            if not len(first):
                continue
            if members.tobytes() in seen and again < _MOST_AGAIN:  # two alike would agree, as if nothing varied
                again += 1
                continue
            seen.add(members.tobytes())
            pairs = np.stack([members[first], members[second]], axis=1).astype(np.int32)
            drawn.append(Cluster(pairs, weight_of_pair[pairs[:, 0], pairs[:, 1]]))
            found += len(pairs)
        return drawn

    def _weights(self, players: int) -> np.ndarray:
        """Inverse probability that a pair is in a cluster, (n, n), scaled to mean 1 over the population.

        A centre c yields the pair (i, j) if both lie in its neighbourhood of d players and survive the thinning,
        probability min(1, players (players-1) / (d (d-1))).
        """
        degree = self.adjacent.sum(axis=1).astype(float)
        survive = np.minimum(1.0, players * (players - 1) / np.maximum(degree * (degree - 1), 1.0))
        neighbours = self.adjacent.astype(float)
        probability = neighbours.T @ (survive[:, None] * neighbours)
        inverse = 1.0 / probability[self.pairs[:, 0], self.pairs[:, 1]]
        weights = np.zeros_like(probability)
        weights[self.pairs[:, 0], self.pairs[:, 1]] = inverse / inverse.mean()
        return weights
