"""Run the experiment on numbers of clocks from the command line."""

from experiments.clocks import Options, main
from experiments.command_line import run

if __name__ == "__main__":
    run(main, Options)
