"""From texts to checked values: flows, spaces, goals and whole projects. No file is read here."""
