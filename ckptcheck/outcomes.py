"""The outcomes of a case, and the verdicts of a verification with their exit codes."""

RECOVERED, DIVERGED, REFUSED, INCONCLUSIVE = "recovered", "diverged", "refused", "inconclusive"
EXPECTABLE = (RECOVERED, DIVERGED, REFUSED)
PASS, FAIL = "pass", "fail"
EXIT_CODES = {PASS: 0, FAIL: 1, INCONCLUSIVE: 3}
