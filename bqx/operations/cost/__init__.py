"""What the system costs: prices with their source, designs, the documents' sums, and budgets."""
