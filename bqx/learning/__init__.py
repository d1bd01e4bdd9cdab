"""Targets, folds, selection, models and bundles."""
