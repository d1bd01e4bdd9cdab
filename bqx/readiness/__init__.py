"""Is it ready: the checklist as checks, the load test, the disaster drill, and the rollout."""
