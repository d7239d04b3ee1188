"""Run the main job from the command line."""

from experiments.command_line import run
from experiments.overcomplete_vs_orthogonal import Options, main

if __name__ == "__main__":
    run(main, Options)
