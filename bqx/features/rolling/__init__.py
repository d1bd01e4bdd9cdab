"""Primitives over trailing windows, one a quantity; families are made of them."""
