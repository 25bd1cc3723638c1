"""Measuring and trying: evaluation, benches, training, simulation, the demo."""
