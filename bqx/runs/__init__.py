"""A run folder: its artefacts and manifest, the log of its fits, and the ledger of trials."""
