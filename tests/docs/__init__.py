"""The documentation as a test sees it: pages, their blocks, and pages that are generated."""
