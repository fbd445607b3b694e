"""Channels-first tokens, (1, C, 1, N): the layout in which transformers run on Apple's neural engine.

Apple, "Deploying Transformers on the Apple Neural Engine", 2022 (machinelearning.apple.com/research/neural-engine-
transformers) and its reference code, github.com/apple/ml-ane-transformers.
"""
