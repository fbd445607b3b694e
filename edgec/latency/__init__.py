"""Latency prediction from programs: features, a fitted model for each runtime, intervals, and limits of validity."""
