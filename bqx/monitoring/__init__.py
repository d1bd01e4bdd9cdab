"""What is watched once models forecast: whether the inputs still look as in training."""
