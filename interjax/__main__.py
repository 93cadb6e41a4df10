"""`python -m interjax` is the command `interjax`."""

from interjax.cli import main

main()
