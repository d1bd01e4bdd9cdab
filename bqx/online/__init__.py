"""Learners that go on learning beside the static champion, from what it was asked and what came."""
