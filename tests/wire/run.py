#!/usr/bin/env python3
"""Runs the wire tests: the real binary, real sockets, real clients.

    tests/wire/run.py [--binary build/release/tidegate] [--quick] [--no-skip] [--json FILE] [PATTERN...]

PATTERN is part of a test's name (test_splits, Streaming, test_cancel...). --no-skip fails what would be skipped for want
of a tool. --quick leaves out slow tests. Ends with status 1 if a test failed or a process was left behind.
"""

import argparse
import json
import pathlib
import sys
import time
import unittest

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))
from harness import settings  # noqa: E402
from harness.process import left_behind  # noqa: E402


class Result(unittest.TestResult):
    def __init__(self, no_skip):
        super().__init__()
        self.no_skip = no_skip
        self.report = {"passed": [], "failed": [], "skipped": []}
        self.began = 0.0

    @staticmethod
    def name(test):
        return test.id().removeprefix("unittest.loader._FailedTest.")

    def startTest(self, test):
        super().startTest(test)
        self.began = time.monotonic()
        print(f"{self.name(test):90} ", end="", flush=True)

    def say(self, word):
        print(f"{word:8}{time.monotonic() - self.began:6.1f} s", flush=True)

    def addSuccess(self, test):
        self.report["passed"].append(self.name(test))
        self.say("ok")

    def fail(self, test, error):
        self.report["failed"].append(self.name(test))
        self.say("FAILED")
        print(self._exc_info_to_string(error, test), flush=True)

    def addFailure(self, test, error):
        self.fail(test, error)

    def addError(self, test, error):
        self.fail(test, error)

    def addSubTest(self, test, subtest, error):
        if error is not None:
            self.fail(subtest, error)

    def addSkip(self, test, reason):
        if self.no_skip and "--quick" not in reason:
            self.report["failed"].append(f"{self.name(test)}: {reason}")
            self.say("FAILED")
        else:
            self.report["skipped"].append([self.name(test), reason])
            self.say("skipped")
        print(f"    {reason}", flush=True)


def chosen(suite, patterns):
    for test in suite:
        if isinstance(test, unittest.TestSuite):
            yield from chosen(test, patterns)
        elif not patterns or any(pattern in test.id() for pattern in patterns):
            yield test


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--binary", type=pathlib.Path, default=settings.BINARY)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--no-skip", action="store_true")
    parser.add_argument("--json", type=pathlib.Path)
    parser.add_argument("patterns", nargs="*")
    options = parser.parse_args()
    settings.BINARY = options.binary.resolve()
    settings.QUICK = options.quick
    if not settings.BINARY.exists():
        print(f"tests/wire/run.py: {options.binary} is not built", file=sys.stderr)
        return 1
    result = Result(options.no_skip)
    tests = unittest.TestLoader().discover(str(HERE), pattern="test_*.py", top_level_dir=str(HERE))
    unittest.TestSuite(chosen(tests, options.patterns)).run(result)
    if left := left_behind():
        result.report["failed"].append(f"processes left behind: {', '.join(left)}")
        print(result.report["failed"][-1])
    report = result.report
    if options.json:
        options.json.write_text(json.dumps(report))
    print(f"{len(report['passed'])} passed, {len(report['failed'])} failed, {len(report['skipped'])} skipped")
    return 1 if report["failed"] or not result.testsRun else 0


if __name__ == "__main__":
    sys.exit(main())
