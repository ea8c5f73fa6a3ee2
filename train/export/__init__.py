"""From a fitted network to what ships: the int8 model and its bundle."""
