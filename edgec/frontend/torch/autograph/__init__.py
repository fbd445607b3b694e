"""Data-dependent Python control flow: detected, rewritten into selections and loops, and covered by samples.

`jumps` removes early exits, `rewrite` turns branches and loops into calls of `runtime`, which selects between the
sides (`merge`) while `guard` keeps what happens on the side not taken from being felt. `functions` puts the rewritten
code in the place of a function's own for the time of an export.
"""
