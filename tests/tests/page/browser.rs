//! A browser without a window, and its DevTools protocol over a pipe: JSON messages, each ended by a zero byte.
//! (chromedevtools.github.io/devtools-protocol; `--remote-debugging-pipe`: descriptor 3 is read, 4 is written.)

use serde_json::{Value, json};
use std::io::{self, BufRead, BufReader, Write};
use std::path::PathBuf;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{self, Receiver};
use std::time::{Duration, Instant};
use tests::scene::Directory;
use tests::wait::{PATIENCE, scaled};
use tests::{Context, skip};

/// How long the browser may take to start, or to print: seconds on a machine that does nothing else.
const START: Duration = Duration::from_secs(3 * PATIENCE.as_secs());

/// A browser with one tab; dropping it ends it.
pub struct Browser {
    child: Child,
    input: ChildStdin,
    messages: Receiver<Value>,
    session: Option<String>,
    last: u64,
    /// What the browser told of by itself, in order.
    pub events: Vec<Value>,
    /// Where it keeps its profile, and the tests what it is to show.
    pub directory: Directory,
}

/// The program, unless this machine has none: then that is said.
fn program(name: &str, variable: &str, package: &str) -> Option<PathBuf> {
    if let Some(path) = std::env::var_os(variable) {
        return Some(path.into());
    }
    let path = std::env::var_os("PATH").unwrap_or_default();
    let found = std::env::split_paths(&path).map(|directory| directory.join(name)).find(|path| path.is_file());
    if found.is_none() {
        skip::say(&format!("{name} is not installed (package {package}; another one can be named in {variable})"));
    }
    found
}

/// What reads the text of a PDF.
pub fn pdftotext() -> Option<PathBuf> {
    program("pdftotext", "WEIR_PDFTOTEXT", "poppler-utils")
}

impl Browser {
    /// Starts one in which all that a page wants from elsewhere is asked of a proxy at this port of 127.0.0.1; `None`: there is none
    /// here, which was said.
    pub fn start(proxy: u16) -> io::Result<Option<Browser>> {
        let Some(program) = program("chromium", "WEIR_CHROMIUM", "chromium") else { return Ok(None) };
        let directory = Directory::new()?;
        // The shell moves its pipes to where the browser wants them, which takes no unsafe code.
        let mut command = Command::new("sh");
        command.args(["-c", r#"exec "$0" "$@" 3<&0 4>&1 </dev/null >/dev/null"#]).arg(program);
        // As root it refuses to run in its own sandbox; what it opens here is ours.
        command.args(["--headless=new", "--no-sandbox", "--disable-gpu", "--remote-debugging-pipe", "--no-first-run"]);
        // What it wants for itself (updates, the time, its maker's accounts) goes to where nobody listens.
        command.args(["--disable-background-networking", "--disable-component-update", "--disable-sync"]);
        command.args(["--proxy-server=http://127.0.0.1:1", "--proxy-bypass-list=<-loopback>"]);
        command.arg(format!("--user-data-dir={}", directory.path().join("profile").display()));
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .context(|| "chromium".to_owned())?;
        let (Some(input), Some(output)) = (child.stdin.take(), child.stdout.take()) else {
            return Err(io::Error::other("the browser has no pipes"));
        };
        let (sender, messages) = mpsc::channel();
        std::thread::spawn(move || {
            for message in BufReader::new(output).split(0) {
                let Ok(Ok(message)) = message.map(|bytes| serde_json::from_slice(&bytes)) else { return };
                if sender.send(message).is_err() {
                    return;
                }
            }
        });
        let mut browser = Browser { child, input, messages, session: None, last: 0, events: Vec::new(), directory };
        // The tab has a context of its own, so that the proxy hears of what the page wants and of nothing else.
        let context = json!({"proxyServer": format!("http://127.0.0.1:{proxy}"), "proxyBypassList": "<-loopback>"});
        let context = browser.call("Target.createBrowserContext", context)?["browserContextId"].clone();
        let target = browser.call("Target.createTarget", json!({"url": "about:blank", "browserContextId": context}))?;
        let attached =
            browser.call("Target.attachToTarget", json!({"targetId": target["targetId"], "flatten": true}))?;
        browser.session = attached["sessionId"].as_str().map(str::to_owned);
        for domain in ["Page", "Runtime", "Log", "Network"] {
            browser.call(&format!("{domain}.enable"), json!({}))?;
        }
        Ok(Some(browser))
    }

    /// Asks for something, and waits for the answer.
    pub fn call(&mut self, method: &str, parameters: Value) -> io::Result<Value> {
        self.last += 1;
        let id = self.last;
        let mut message = json!({"id": id, "method": method, "params": parameters});
        if let Some(session) = &self.session {
            message["sessionId"] = session.clone().into();
        }
        let mut bytes = serde_json::to_vec(&message)?;
        bytes.push(0);
        self.input.write_all(&bytes).context(|| method.to_owned())?;
        let deadline = Instant::now() + scaled(START);
        loop {
            let message = self.message(deadline).context(|| method.to_owned())?;
            if message["id"] != id {
                self.events.push(message);
            } else if let Some(error) = message.get("error") {
                return Err(io::Error::other(format!("{method}: {error}")));
            } else {
                return Ok(message["result"].clone());
            }
        }
    }

    /// Waits until the browser has told of this by itself.
    pub fn until(&mut self, method: &str) -> io::Result<()> {
        let deadline = Instant::now() + scaled(START);
        while !self.events.iter().any(|event| event["method"] == method) {
            let message = self.message(deadline).context(|| method.to_owned())?;
            self.events.push(message);
        }
        Ok(())
    }

    fn message(&mut self, deadline: Instant) -> io::Result<Value> {
        let patience = deadline.saturating_duration_since(Instant::now());
        self.messages
            .recv_timeout(patience)
            .map_err(|_| io::Error::new(io::ErrorKind::TimedOut, "the browser does not answer, or is gone"))
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        // Asked, it ends its helpers as well; what it answers does not matter any more.
        self.session = None;
        let asked = self.input.write_all(b"{\"id\":0,\"method\":\"Browser.close\"}\0");
        let deadline = Instant::now() + scaled(PATIENCE);
        while asked.is_ok() && self.message(deadline).is_ok() {}
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
