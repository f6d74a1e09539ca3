"""How the site writes dates, whatever the language says."""
