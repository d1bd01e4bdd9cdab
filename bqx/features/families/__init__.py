"""What is computed from bars, a folder a subject; each module declares what it computes."""
