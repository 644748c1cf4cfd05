"""Style sheets, scripts and fonts: one of each, with what the pages use and no more."""
