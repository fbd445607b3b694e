"""Broken and hostile model files: each ends in a diagnostic, never in a traceback, a crash or a hang."""
