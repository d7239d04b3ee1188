"""`python -m experiments.trained_fields`."""

from experiments.command_line import run
from experiments.trained_fields import Options, main

if __name__ == "__main__":
    run(main, Options)
