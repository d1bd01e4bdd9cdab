"""The loop from forecasts to the next model: challenger, gate, shadow, promotion, watch."""
