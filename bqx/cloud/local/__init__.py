"""A small SageMaker of this machine: jobs and endpoints as real processes on the loopback."""
