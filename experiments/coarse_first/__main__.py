"""Run the experiment on coarse-first paths from the command line."""

from experiments.coarse_first import Options, main
from experiments.command_line import run

if __name__ == "__main__":
    run(main, Options)
