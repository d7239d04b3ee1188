"""Run the experiment on a second clock from the command line."""

from experiments.command_line import run
from experiments.second_clock import Options, main

if __name__ == "__main__":
    run(main, Options)
