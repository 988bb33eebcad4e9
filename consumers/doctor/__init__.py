"""streamfit's doctor: looks at all that a run depends on, and changes nothing."""
