"""Best paths through the noise levels of several scales, and proofs of how good they are."""
