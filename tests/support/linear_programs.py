"""The programs of AND-OR explanations written out densely and solved by scipy's HiGHS."""

import numpy as np
from scipy.optimize import linprog


def design(n_players):
    """The columns of AND effects and of OR effects of two players or more, (2**n, effects), and which they are."""
    index = np.arange(2**n_players)
    conjunctions = (index[:, None] & index[None, :]) == index[None, :]
    disjunctions = (index[:, None] & index[None, :]) > 0
    used = np.concatenate([np.ones(len(index), bool), np.bitwise_count(index) >= 2])
    return np.concatenate([conjunctions, disjunctions], axis=1)[:, used].astype(float), used


def highs_optimum(table, noise, costs=None):
    """The least sum of costs * |effects| of a table."""
    return _solve(np.asarray(table)[None], noise, 0.0, costs)


def highs_joint_optimum(tables, noise, share):
    """The least sum over L of max over networks of |effects|, plus share times their sum."""
    return _solve(np.asarray(tables), noise, share, None)


def _solve(tables, noise, share, costs):
    """Variables: positive and negative parts of each network's effects, then their bound t over networks."""
    networks, coalitions = tables.shape
    columns, used = design(coalitions.bit_length() - 1)
    costs = np.ones(columns.shape[1]) if costs is None else np.asarray(costs).reshape(-1)[used]
    values = tables - tables[:, :1]
    bound = noise * np.abs(values[:, -1])
    count = columns.shape[1]
    rows, limits = [], []
    for network in range(networks):
        place = np.zeros((1, networks))
        place[0, network] = 1
        fit = np.hstack([np.kron(place, np.hstack([columns, -columns])), np.zeros((coalitions, count))])
        rows += [fit, -fit]
        limits += [values[network] + bound[network], bound[network] - values[network]]
        strength = np.kron(place, np.hstack([np.eye(count), np.eye(count)]))
        rows.append(np.hstack([strength, -np.eye(count)]))
        limits.append(np.zeros(count))
    objective = np.concatenate([np.tile(share * costs, 2 * networks), costs])
    found = linprog(objective, A_ub=np.vstack(rows), b_ub=np.concatenate(limits), bounds=(0, None), method="highs")
    assert found.status == 0, found.message
    return found.fun
