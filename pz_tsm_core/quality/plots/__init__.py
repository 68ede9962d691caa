"""One function a plot: counted data in, a matplotlib figure out."""
