"""The parts of an environment, each a Pulumi component resource. None of them reads config."""
