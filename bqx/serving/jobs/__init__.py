"""What the platform's containers do as jobs: training and processing."""
