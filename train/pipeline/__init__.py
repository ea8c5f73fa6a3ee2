"""From data to a shipped model: bundle, card and report of a training run."""
