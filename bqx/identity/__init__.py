"""What code decides a value: its text without prose, what it imports, and all that it reaches."""
