"""One index by shapiq, in a process that can be stopped: shapiq_child.py TABLE INDEX ORDER FOUND CLOCK."""

import os
import resource
import sys
import time
import warnings
from typing import Any

import numpy as np
from shapiq.game_theory.exact import ExactComputer


def main() -> None:
    table_path, name, order, found_path, clock_name = sys.argv[1:]
    index: Any = name
    table = np.load(table_path)
    n_players = len(table).bit_length() - 1
    powers = 1 << np.arange(n_players)
    clock = getattr(time, clock_name)
    warnings.simplefilter("ignore")

    # A failed allocation rather than a machine that runs out of memory.
    most = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") * 3 // 4
    resource.setrlimit(resource.RLIMIT_AS, (most, most))
    start = clock()
    computer = ExactComputer(lambda masks: table[masks @ powers], n_players, evaluate_game=True)
    tabulated = clock()
    values = computer(index, int(order))
    done = clock()

    masks = np.zeros((len(values.interaction_lookup), n_players), bool)
    for row, players in enumerate(values.interaction_lookup):
        masks[row, list(players)] = True
    found = [values.values[place] for place in values.interaction_lookup.values()]
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss  # KiB, imports and the table included
    partial = found_path + ".part.npz"
    np.savez(
        partial,
        masks=masks,
        values=np.array(found),
        seconds_of_table=tabulated - start,
        seconds=done - tabulated,
        megabytes=peak / 1024,
    )
    os.replace(partial, found_path)


if __name__ == "__main__":
    main()
