"""Costs, signals, backtest, netting and performance."""
