"""Clips and programmes composed of recorded notes, phrases and noises, and the demo."""
