"""The feature catalog: sources, families of kernels, and the one path that computes them."""
