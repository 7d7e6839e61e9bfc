"""What the toolchain raises, and nothing else."""


class ToolchainError(Exception):
    """A tool cannot be had; the text says why and what to do about it."""
