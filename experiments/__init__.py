"""One question per module; theory predicts first, then measurements judge. Run as `python -m experiments.NAME`."""
