"""Training, serving and rolling out on SageMaker, and a local platform that does the same."""
