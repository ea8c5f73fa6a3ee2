"""Fitting a network: the loop, its schedule, its checkpoints, and processes and machines that share the work."""
