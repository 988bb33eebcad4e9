"""What streamfit measures and how it is shown: scores, baselines, Prometheus, health."""
