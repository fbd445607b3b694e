"""Broken and hostile model files: each results in a diagnostic, never in a traceback, a crash or a hang."""
