"""Latency predicted from a program: features, a fitted model of each runtime, intervals, and what lies outside."""
