"""Models that quantize what they compute: their one form, and how they are checked.

Rounding to a step is a jump: the last bit of a float32 decides between two steps, and every later layer sees which it
was. Two right orders of the same operations then differ by whole steps at the output, so that these models are checked
value by value, and their artifacts against what one rounding does to the model itself (ADR 0007).
"""
