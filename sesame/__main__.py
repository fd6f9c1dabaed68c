"""`python -m sesame` is `sesame`."""

from sesame.cli import main

main()
