"""A run folder: its artefacts and manifest, what was fitted, and the ledger of trials."""
