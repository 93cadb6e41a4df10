"""Progress of a command: one bar, or a bar for each stage."""

from typing import Any

from tqdm import tqdm


class Progress:
    """A progress bar as a callback (done, total); nothing where quiet."""

    def __init__(self, quiet: bool, title: str, unit: str):
        self.bar = tqdm(desc=title, unit=f" {unit}", unit_scale=True, disable=quiet, delay=0.5)

    def __enter__(self) -> Any:
        return self

    def __call__(self, done: int, total: int) -> None:
        self.bar.total = total
        self.bar.update(done - self.bar.n)

    def __exit__(self, *exception: Any) -> None:
        self.bar.close()


class Stages:
    """A progress bar for each stage: its name changes from one to the next.

    Args:
        quiet: no bar.
        unit: what is counted; by default what the stage's name makes of it, "trained" for "training ...".
    """

    def __init__(self, quiet: bool, unit: str | None = None):
        self.quiet, self.unit, self.title = quiet, unit, ""
        self.bar: Progress | None = None

    def __enter__(self) -> Any:
        return self

    def __call__(self, title: str, done: int, total: int) -> None:
        if title != self.title:
            self.__exit__()
            unit = self.unit or title.split()[0].replace("ing", "ed")
            self.bar, self.title = Progress(self.quiet, title, unit), title
        assert self.bar is not None
        self.bar(done, total)

    def __exit__(self, *exception: Any) -> None:
        if self.bar is not None:
            self.bar.__exit__()
