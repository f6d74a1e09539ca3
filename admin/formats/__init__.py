"""How the site writes dates, in every language."""
