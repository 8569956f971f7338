"""The words for what a case did, and for what that means to a verification."""

RECOVERED, DIVERGED, REFUSED, INCONCLUSIVE = "recovered", "diverged", "refused", "inconclusive"
EXPECTABLE = (RECOVERED, DIVERGED, REFUSED)
PASS, FAIL = "pass", "fail"
EXIT_CODES = {PASS: 0, FAIL: 1, INCONCLUSIVE: 3}
