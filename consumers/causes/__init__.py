"""The page that tells every cause in words."""
