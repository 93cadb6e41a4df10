"""Rounds of measuring every input: what an earlier start kept, what other processes do, and the slices of a mesh."""

import dataclasses
import queue
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import jax
import numpy as np

from interjax._core._files import read_arrays
from interjax._core._progress import Progress
from interjax._engine._devices import slices_of
from interjax._engine._folders import RunFolder, fingerprint
from interjax._engine._processes import Group
from interjax._engine._rows import Resources
from interjax.games._game import Game
from interjax.profiles._one_input import Design, Measured, measure_input


class Rounds:
    """Rounds of measuring every input, shared among the processes of a group.

    What was not measured before goes to them in turn. Every process then has all sums of a round, in the inputs' order,
    so that what follows of them is the same in each.
    """

    def __init__(
        self,
        key: jax.Array,
        games: list[Game],
        design: Design,
        resources: Resources,
        run: RunFolder | None,
        group: Group,
        progress: Progress | None,
    ):
        self.key, self.games, self.design, self.run, self.group = key, games, design, run, group
        self.slices = [dataclasses.replace(resources, mesh=part) for part in slices_of(resources.mesh)]
        self.progress = progress
        self.first = design
        self.planned = self._passes()  # of all rounds up to the next one
        self.measured: list[list[Measured]] = [[] for _ in games]
        self.number = 0
        self.made = 0  # by this process in earlier rounds

    def measure(self) -> None:
        """Measure one more round of every input."""
        rank, size = self.group.rank, self.group.size
        kept = [place for place in range(len(self.games)) if self.run and self.run.has(self._name(place))]
        # Process 0 says what its folder holds: another process may see a shared folder late.
        kept = self.group.exchange({"kept": np.array(kept, int)})[0]["kept"].tolist()
        wanted = [place for place in range(len(self.games)) if place not in kept]
        found: dict[int, Measured] = {}
        if rank == 0:
            found = {place: self._read(place) for place in kept}
        found |= self._measure_all(wanted[rank::size], sum(part.n_forwards for part in found.values()))
        arrays = {f"{place}.{name}": array for place, part in found.items() for name, array in part.to_arrays().items()}
        made = sum(part.n_forwards for part in found.values())
        for others in self.group.exchange(arrays, lambda: self._report(made)):
            for place in {int(name.split(".")[0]) for name in others} - found.keys():
                start = f"{place}."
                of_place = {name.removeprefix(start): others[name] for name in others if name.startswith(start)}
                found[place] = Measured.from_arrays(of_place)
        for place, parts in enumerate(self.measured):
            parts.append(found[place])
        self.made += made
        self.number += 1
        if self.progress:
            passes = sum(part.n_forwards for parts in self.measured for part in parts)
            self.progress(passes, max(self.planned, passes))

    def _measure_all(self, places: list[int], made_before: int) -> dict[int, Measured]:
        """Measure these inputs; every slice of the mesh takes the next one that is left."""
        made = dict.fromkeys(places, 0)
        free: queue.SimpleQueue[Resources] = queue.SimpleQueue()
        for resources in self.slices:
            free.put(resources)
        one_reports, stopping = threading.Lock(), threading.Event()

        def measure(place: int) -> Measured:
            resources = free.get()

            def report(passes: int) -> None:
                with one_reports:
                    if stopping.is_set():
                        raise RuntimeError("another input could not be measured")
                    made[place] = passes
                    self._report(made_before + sum(made.values()))

            try:
                return self._measure(place, resources, report)
            finally:
                free.put(resources)

        if len(self.slices) == 1:
            return {place: measure(place) for place in places}
        with ThreadPoolExecutor(len(self.slices)) as pool:
            started = {place: pool.submit(measure, place) for place in places}
            try:
                return {place: one.result() for place, one in started.items()}
            except BaseException:
                stopping.set()
                pool.shutdown(cancel_futures=True)
                raise

    def _measure(self, place: int, resources: Resources, report: Callable[[int], None]) -> Measured:
        number = 0 if self.design.before else self.number  # more contexts of a first draw, or a fresh one
        key = jax.random.fold_in(jax.random.fold_in(self.key, place), number)
        partial = self.run.partial(self._name(place)) if self.run else None
        found = measure_input(key, self.games[place], self.design, resources, partial=partial, progress=report)
        if self.run:
            self.run.write(self._name(place), found.to_arrays())
        report(found.n_forwards)
        return found

    def _read(self, place: int) -> Measured:
        kept = self.run.read(self._name(place)) if self.run else None
        if kept is None:
            raise ValueError(f"{self._name(place)} was removed from the run's folder while it was read: start again")
        return Measured.from_arrays(kept)

    def _name(self, place: int) -> str:
        """Of a piece in the folder; one of a round that is measured otherwise than the first has its digest."""
        how, first = ([np.array(design.contexts), design.n_pairs] for design in (self.design, self.first))
        other = "" if fingerprint(how) == fingerprint(first) else f"-{fingerprint(how)[:8]}"
        return f"round{self.number}{other}-input{place}"

    def _report(self, made: int) -> None:
        """Take note of the passes that this process made in this round; stop if another process was lost."""
        self.group.check()
        made = self.group.passes(self.made + made)
        if self.progress:
            self.progress(made, max(self.planned, made))

    def go_on(self, design: Design) -> None:
        """Measure the rounds to come like this."""
        self.design = design
        self.planned += self._passes()

    def _passes(self) -> int:
        """Passes that a round takes, on average."""
        return int(self.design.expected_passes() * len(self.games) * self.games[0].passes)


def kept_in(folder: Path, inputs: int) -> tuple[int, str]:
    """Forward passes that an earlier start left in a run's folder, and in words what they measured; 0, "" if none."""
    whole = {path.stem: path for path in folder.glob("round*-input*.npz")}
    try:
        partial = [read_arrays(path) for path in sorted(folder.glob("partial/*.npz")) if path.stem not in whole]
        passes = sum(int(read_arrays(path)["n_forwards"]) for path in whole.values())
    except ValueError as error:
        raise ValueError(f"{error}: delete the file to measure it anew") from error
    passes += sum(int(state["made"]) for state in partial)
    if not passes:
        return 0, ""
    rounds = [int(name.split("-")[0].removeprefix("round")) for name in whole]
    last = max(rounds, default=0)
    done = rounds.count(last)
    text = f"{done} of {inputs} inputs" + (f" in round {last + 1}" if last else "")
    shares = [f"{min(99, round(100 * int(state['made']) / max(1, int(state['expected']))))}%" for state in partial]
    if shares:
        text += f" and {', '.join(shares)} of the next" + (" ones" if len(shares) > 1 else "")
    return passes, f"{text} were measured"
