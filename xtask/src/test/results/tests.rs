use super::*;

fn read(text: &str) -> Tally {
    let mut reader = Reader::default();
    text.lines().for_each(|line| reader.line(line));
    reader.finish()
}

const PASSED: &str = "
running 3 tests
test opens::by_path ... ok
test opens::by_io_uring ... ok
test storm ... ok

successes:

---- opens::by_io_uring stdout ----
skipped: io_uring is off here (kernel.io_uring_disabled = 2)
skipped: the same again

successes:
    opens::by_io_uring
    opens::by_path
    storm

test result: ok. 3 passed; 0 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0.12s
";

const FAILED: &str = "
running 3 tests
test a ... ok
test b ... FAILED
test c ... ignored, a measurement

successes:

successes:
    a

failures:

---- b stdout ----
skipped: only one half of this test
    indented words of the test

thread 'b' panicked at tests/b.rs:1:1:
no

failures:
    b

test result: FAILED. 1 passed; 1 failed; 1 ignored; 0 measured; 0 filtered out; finished in 0.00s
";

#[test]
fn a_skipped_test_is_not_a_passed_one() {
    let tally = read(PASSED);
    assert_eq!((tally.passed, tally.failed), (2, 0));
    let why = "io_uring is off here (kernel.io_uring_disabled = 2)".to_owned();
    assert_eq!(tally.skips, [("opens::by_io_uring".to_owned(), why)]);
}

#[test]
fn a_failed_test_is_named_and_an_ignored_one_is_skipped() {
    let tally = read(FAILED);
    assert_eq!((tally.passed, tally.failed), (1, 1));
    assert_eq!(tally.failures, ["b"]);
    assert_eq!(tally.skips, [("c".to_owned(), "a measurement".to_owned())]);
}

#[test]
fn binaries_add_up() {
    let tally = read(&format!("{PASSED}{FAILED}{PASSED}"));
    assert_eq!(tally.to_string(), "5 passed, 1 failed, 3 skipped");
    assert_eq!(read(&PASSED.repeat(2)).to_string(), "4 passed, 0 failed, 2 skipped");
}

#[test]
fn what_goes_past_the_harness_is_seen_and_a_binary_that_dies_leaves_nothing_odd() {
    assert_eq!(read("test a ... skipped: no BTF\nskipped: no BTF\n").to_string(), "0 passed, 0 failed, 1 skipped");
    let text = format!("test a ... skipped: no BTF\nskipped: no BTF\n{PASSED}");
    assert_eq!(read(&text).to_string(), "2 passed, 0 failed, 2 skipped");
}

/// As the boards of scenarios print (tests/src/board/report.rs), which are no tests of Rust's harness.
const BOARD: &str = "
running 3 tests
test with_policy::pipe ... ok
test with_policy::icmp ... FAILED
test with_policy::in_containerd ... ignored, runc is not installed (packages containerd and runc)

failures:

---- with_policy::icmp stdout ----
missed: no alert at high or above


failures:
    with_policy::icmp

test result: FAILED. 1 passed; 1 failed; 1 ignored; 0 measured; 0 filtered out; finished in 36.20s
";

#[test]
fn boards_are_read_like_tests() {
    let tally = read(&format!("{PASSED}{BOARD}"));
    assert_eq!(tally.to_string(), "3 passed, 1 failed, 2 skipped");
    assert_eq!(tally.failures, ["with_policy::icmp"]);
    let why = "runc is not installed (packages containerd and runc)".to_owned();
    assert_eq!(tally.skips.last(), Some(&("with_policy::in_containerd".to_owned(), why)));
}
