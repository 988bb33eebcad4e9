"""Drift detectors on the errors of a model: River's, by name, a batch at a time."""
