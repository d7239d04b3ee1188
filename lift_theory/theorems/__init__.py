"""The theory, one theorem a file: statement, assumptions and a proof that can be run.

Start with `i_mmse_gradient`. Nothing here is imported by the numerics and nothing here imports them, so that
a test which finds both in agreement has compared two independent derivations.
"""
