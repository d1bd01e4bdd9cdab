"""The proof that no feature reads ahead: checks, tightness, certificate."""
