"""The frame of the papers' experiments: what one is, how it trains its networks, what it tells and writes."""

import dataclasses
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from jaxtyping import Array

from interjax import datasets, training
from interjax._core._files import write_json
from interjax.training._checkpoints import Model

if TYPE_CHECKING:
    from interjax.plots._style import Figure

Progress = Callable[[str, int, int], Any]
"""Called with (what is being done, done, in all)."""


class Setting(Protocol):
    """What every experiment's settings name; each adds how its networks are trained and measured."""

    @property
    def data(self) -> str:
        """What `ij.datasets.load` takes, "{folder}" standing for the folder of data sets."""
        ...

    @property
    def network(self) -> str:
        """Name in `ij.networks.build`."""
        ...


@dataclasses.dataclass(frozen=True)
class Experiment:
    """What is repeated of the papers: settings to choose from, what is run of each, and what is told of it.

    Args:
        name: of the experiment and of the files that it writes.
        settings: data set and network, and how it is trained and measured, by name.
        run: (setting, data, folder, *, progress, further options) -> found.
        summary: found -> every number, in JSON types.
        table: found -> the report in Markdown.
        figure: (found, title) -> its picture.
        size: (setting, found) -> what the title says after network and data.
        stated: what the numbers name beside the summary: "setting", and options of `run`.
    """

    name: str
    settings: Mapping[str, Any]
    run: Callable[..., Any]
    summary: Callable[[Any], dict[str, Any]]
    table: Callable[[Any], str]
    figure: Callable[[Any, str], "Figure"]
    size: Callable[[Any, Any], str]
    stated: tuple[str, ...] = ()

    @property
    def files(self) -> tuple[str, str, str]:
        """Names of the numbers, the table and the picture."""
        return f"{self.name}.json", f"{self.name}.md", f"{self.name}.png"

    def repeat(
        self,
        setting: Any,
        data: datasets.Dataset,
        folder: Path,
        *,
        progress: Progress | None = None,
        **options: Any,
    ) -> str:
        """Run a setting, write the files into the folder where its networks are, and return title and table."""
        found = self.run(setting, data, folder, progress=progress, **options)
        title = f"{setting.network} on {data.name}, {self.size(setting, found)}"
        numbers, table, picture = (folder / name for name in self.files)
        known = {"setting": dataclasses.asdict(setting), **options}
        write_json(numbers, {name: known[name] for name in self.stated} | self.summary(found))
        table.write_text(text := self.table(found))
        self.figure(found, title).savefig(picture, dpi=150)
        return f"{title}\n\n{text}"


def about(progress: Progress | None, doing: str) -> Callable[[int, int], Any] | None:
    """Progress of one stage, (done, in all), under its name; None without progress."""
    return None if progress is None else lambda done, total: progress(doing, done, total)


def trained(
    plan: training.Plan,
    data: datasets.Dataset | tuple[Any, Any],
    folder: Path,
    *,
    seed: int,
    key: Array,
    checkpoints: int | None = None,
    loss: training.Loss | None = None,
    progress: Callable[[int, int], Any] | None = None,
) -> Model:
    """The network of a folder, trained there or gone on with to the end of its plan.

    Args:
        plan: network, optimizer, epochs and batches.
        data: a data set, whose test accuracy is then logged, or training inputs and labels.
        folder: of the network's checkpoints; metrics.jsonl stands beside it.
        seed: of the weights.
        key: of the order, the augmentation and the loss.
        checkpoints: how many are kept, log-spaced from 0 to the last step; None keeps the last.
        loss: None for cross entropy.
        progress: called with (steps done, steps in all).
    """
    kept: dict[str, Any] = {}
    if checkpoints is not None:
        examples = len(data.train_x if isinstance(data, datasets.Dataset) else data[0])
        kept = plan.log_spaced(examples, checkpoints)
    training.train(
        plan.spec.build(seed),
        data,
        key=key,
        optimizer=plan.optimizer,
        epochs=plan.epochs,
        batch_size=plan.batch_size,
        loss=loss,
        augment=plan.augment,
        checkpoint_folder=folder,
        spec=plan.spec,
        metrics=folder.parent / "metrics.jsonl",
        progress=progress,
        **kept,
    )
    return training.load_network(folder)[1]
