"""Groups to a Report: findings, severities, fixes, and what is silenced."""
