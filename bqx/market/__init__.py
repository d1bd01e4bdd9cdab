"""What bars are: pairs, sessions, the bar frame, its readers, and markets simulated."""
