"""Clips of whatever data set they come from, their division by recording, and their features on disk."""
