"""The second half of the main experiment: networks that are trained, measured and sampled on the same images."""
