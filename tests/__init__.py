"""The tests. A package, because textstat installs a package `tests` too, which would come before a mere directory."""
