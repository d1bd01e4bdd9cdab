"""The documents' plan: what delivers each task, and its records in Airtable."""
