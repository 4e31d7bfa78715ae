"""The benchmark harness: processes, scenarios, report. Standard library only."""
