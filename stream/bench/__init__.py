"""What `soloist bench` measures, with the design's targets."""
