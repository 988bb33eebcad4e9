"""How a run is shown: terminal, chart, summary, log."""
