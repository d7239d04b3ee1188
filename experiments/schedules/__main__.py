"""Run the schedule experiment from the command line."""

from experiments.command_line import run
from experiments.schedules import Options, main

if __name__ == "__main__":
    run(main, Options)
