"""By when the desk must answer: business time, promises, clocks as a fold over events. Pure."""
