"""The command `interjax`: thin wrappers that read options, call the library and write numbers, plots and settings."""

import sys

try:
    import click
    import tqdm  # noqa: F401
except ImportError as error:  # the command line is an extra
    raise SystemExit(f'the interjax command needs its extra: pip install "interjax[cli]" ({error})') from None

import interjax as ij
from interjax.cli._lazy_group import LazyGroup

_LINES = {
    "measure": "Measure the strength profile J^(m) of a network on data.",
    "concepts": "Explain a network by its concepts: coalitions of inputs that act together.",
    "complexity": "Measure the representational complexity of a network's hidden layers about the labels.",
    "train": "Train a network and keep it as a checkpoint.",
    "evaluate": "Compare trained networks: accuracy, loss gap, robustness to attack and to destroyed structure.",
    "reproduce": "Repeat an experiment of the papers: train, measure, compare with what they report.",
}


@click.group(
    cls=LazyGroup,
    homes={name: f"interjax.cli._{name}" for name in _LINES},
    lines=_LINES,
    context_settings={"show_default": True, "help_option_names": ["-h", "--help"]},
)
@click.version_option(ij.__version__, prog_name="interjax")
def cli() -> None:
    """Measure how a neural network's inputs act together: interactions of every order."""


def main() -> None:
    """Entry point: an error of the user's is a message, not a traceback."""
    try:
        cli.main(standalone_mode=False)
    except click.exceptions.Abort:
        print("interjax: stopped; the same command goes on from what was done", file=sys.stderr)
        raise SystemExit(130) from None
    except click.ClickException as error:
        error.show()
        raise SystemExit(error.exit_code) from None
    except (ValueError, OSError) as error:
        raise SystemExit(f"interjax: {error}") from None


if __name__ == "__main__":
    main()
