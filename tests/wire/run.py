#!/usr/bin/env python3
"""Runs the wire tests: the real binary, real sockets, real clients.

    tests/wire/run.py [--binary build/release/tidegate] [--quick] [--no-skip] [--json FILE] [PATTERN...]

PATTERN is part of a test's name (test_splits, Streaming, test_cancel...). --no-skip fails what would be skipped for want
of a tool. --quick leaves out slow tests. Ends with status 1 if a test failed or a process was left behind.

These tests share two cores with whatever else the machine does. Where no more than three fail, each is tried once more
after all others, alone; one that then passes is named as passed on the second try, so that a weak test stays visible.
"""

import argparse
import json
import pathlib
import sys
import time
import unittest

SECOND_TRIES_MAX = 3
HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))
from harness import settings  # noqa: E402
from harness.process import left_behind  # noqa: E402


class Result(unittest.TestResult):
    def __init__(self, no_skip):
        super().__init__()
        self.no_skip = no_skip
        self.report = {"passed": [], "failed": [], "skipped": []}
        self.failed_tests = {}  # by the name in the report; a subtest leads to its test
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
        self.failed_tests[self.name(test)] = getattr(test, "test_case", test)
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


def try_again(first, no_skip):
    """Runs the few tests that failed once more; moves those that now pass."""
    tests = set(first.failed_tests.values())
    if not tests or len(tests) > SECOND_TRIES_MAX or len(first.failed_tests) != len(first.report["failed"]):
        return
    print("\nonce more, alone:")
    second = Result(no_skip)
    for test in tests:
        unittest.TestSuite([test]).run(second)
    for name, test in first.failed_tests.items():
        if Result.name(test) in second.report["passed"]:
            first.report["failed"].remove(name)
            if Result.name(test) not in first.report["passed"]:
                first.report["passed"].append(Result.name(test))
            print(f"passed on the second try: {name}")


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
    try_again(result, options.no_skip)
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
