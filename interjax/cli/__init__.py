"""The command `interjax`: thin wrappers that read options, call the library and write numbers, plots and settings."""

import interjax as ij
from interjax._engine._processes import ProcessLost
from interjax.cli._complexity import complexity
from interjax.cli._concepts import concepts
from interjax.cli._evaluate import evaluate
from interjax.cli._measure import measure
from interjax.cli._reproduce import reproduce
from interjax.cli._train import train

try:
    import click
    import tqdm  # noqa: F401
except ImportError as error:  # the command line is an extra
    raise SystemExit(f'the interjax command needs its extra: pip install "interjax[cli]" ({error})') from None


@click.group(context_settings={"show_default": True, "help_option_names": ["-h", "--help"]})
@click.version_option(ij.__version__, prog_name="interjax")
def cli() -> None:
    """Measure how a neural network's inputs act together: interactions of every order."""


for command in (measure, concepts, complexity, train, evaluate, reproduce):
    cli.add_command(command)


def main() -> None:
    """Entry point: an error of the user's is a message, not a traceback."""
    try:
        cli.main(standalone_mode=False)
    except click.exceptions.Abort:
        raise SystemExit(130) from None
    except click.ClickException as error:
        error.show()
        raise SystemExit(error.exit_code) from None
    except (ValueError, OSError, ProcessLost) as error:
        raise SystemExit(f"interjax: {error}") from None


if __name__ == "__main__":
    main()
