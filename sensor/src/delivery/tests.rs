use super::escape::{Visible, bytes, command_line};

#[test]
fn nothing_hidden_reaches_a_terminal() {
    assert_eq!(Visible("a\u{1b}[31mb\u{7}").to_string(), "a\\u{1b}[31mb\\u{7}");
    assert_eq!(Visible("x\ny\tz\u{202e}gpj.exe\u{200b}").to_string(), "x\\ny\\tz\\u{202e}gpj.exe\\u{200b}");
    assert_eq!(Visible("plain, ünïcode, 模型").to_string(), "plain, ünïcode, 模型");
    assert_eq!(Visible("").to_string(), "");
}

#[test]
fn bytes_are_said_in_powers_of_a_thousand() {
    for (count, text) in [
        (0, "0 B"),
        (999, "999 B"),
        (1_000, "1.0 kB"),
        (999_949, "999.9 kB"),
        (999_950, "1.0 MB"),
        (26_214_400, "26.2 MB"),
        (u64::MAX, "18.4 EB"),
    ] {
        assert_eq!(bytes(count), text);
    }
}

#[test]
fn command_lines_are_quoted_and_bounded() {
    let args: Vec<Box<str>> = ["sh", "-c", "echo 'a'\u{1b}[0m", ""].map(Into::into).to_vec();
    assert_eq!(command_line(&args, 100), "sh -c 'echo 'a'\\u{1b}[0m' ''");
    assert!(command_line(&vec!["x".repeat(50).into(); 100], 200).len() <= 210);
}
