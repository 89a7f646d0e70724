//! One page in one browser, and a proxy that hears of every request that is made.

use crate::browser::Browser;
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use sensor::evidence::timeline::model::Timeline;
use serde_json::{Value, json};
use std::io::{self, BufRead as _, BufReader, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

/// See the module.
pub struct Page {
    pub browser: Browser,
    /// The first line of each request that came to the proxy.
    asked: Arc<Mutex<Vec<String>>>,
}

impl Page {
    /// Opens the page of a timeline; `None`: there is no browser here, which was said.
    pub fn of(timeline: &Timeline) -> io::Result<Option<Page>> {
        Page::of_text(&sensor::evidence::page::page(timeline)?)
    }

    /// Opens a page.
    pub fn of_text(text: &str) -> io::Result<Option<Page>> {
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let port = listener.local_addr()?.port();
        let asked = Arc::new(Mutex::new(Vec::new()));
        let heard = Arc::clone(&asked);
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let heard = Arc::clone(&heard);
                // One may be opened in advance and never used.
                std::thread::spawn(move || hear(stream, &heard));
            }
        });
        let Some(browser) = Browser::start(port)? else { return Ok(None) };
        let mut page = Page { browser, asked };
        page.size(1400, 1000)?;
        page.open(text)?;
        Ok(Some(page))
    }

    /// Opens another page in the same tab, and waits until it is drawn.
    pub fn open(&mut self, text: &str) -> io::Result<()> {
        let file = self.browser.directory.path().join("page.html");
        std::fs::write(&file, text)?;
        self.browser.events.clear();
        self.browser.call("Page.navigate", json!({"url": format!("file://{}", file.display())}))?;
        self.browser.until("Page.loadEventFired")?;
        self.drawn()
    }

    /// Waits until what was changed is on the screen.
    pub fn drawn(&mut self) -> io::Result<()> {
        self.ask("new Promise(done => requestAnimationFrame(() => requestAnimationFrame(() => done(0))))").map(drop)
    }

    /// The value of an expression; promises are waited for.
    pub fn ask(&mut self, expression: &str) -> io::Result<Value> {
        let question = json!({"expression": expression, "awaitPromise": true, "returnByValue": true});
        let answer = self.browser.call("Runtime.evaluate", question)?;
        match answer.get("exceptionDetails") {
            Some(details) => Err(io::Error::other(format!("{expression}: {details}"))),
            None => Ok(answer["result"]["value"].clone()),
        }
    }

    /// The text of the first element that a selector finds.
    pub fn text(&mut self, selector: &str) -> io::Result<String> {
        let text = self.ask(&format!("document.querySelector({}).textContent", json!(selector)))?;
        Ok(text.as_str().unwrap_or_default().to_owned())
    }

    /// How many elements a selector finds.
    pub fn count(&mut self, selector: &str) -> io::Result<u64> {
        let count = self.ask(&format!("document.querySelectorAll({}).length", json!(selector)))?;
        Ok(count.as_u64().unwrap_or_default())
    }

    /// Writes into a field, or chooses in a list, as a person does.
    pub fn enter(&mut self, selector: &str, value: &str) -> io::Result<()> {
        let (selector, value) = (json!(selector), json!(value));
        self.ask(&format!(
            "{{ const field = document.querySelector({selector}); field.value = {value};
                field.dispatchEvent(new Event(field.matches('select') ? 'change' : 'input', {{ bubbles: true }})); 0 }}"
        ))?;
        self.drawn()
    }

    /// Presses a key.
    pub fn key(&mut self, key: &str) -> io::Result<()> {
        let mut event = json!({"type": "keyDown", "key": key, "code": key});
        if key.len() == 1 {
            event["text"] = key.into();
        }
        self.browser.call("Input.dispatchKeyEvent", event.clone())?;
        event["type"] = "keyUp".into();
        self.browser.call("Input.dispatchKeyEvent", event)?;
        self.drawn()
    }

    /// The mouse at a place: `mouseMoved`, `mousePressed` or `mouseReleased`.
    pub fn mouse(&mut self, what: &str, (x, y): (f64, f64)) -> io::Result<()> {
        let button = if what == "mouseMoved" { "none" } else { "left" };
        let event = json!({"type": what, "x": x, "y": y, "button": button, "buttons": 1, "clickCount": 1});
        self.browser.call("Input.dispatchMouseEvent", event)?;
        self.drawn()
    }

    /// The middle of the first element that a selector finds, once it is in the window.
    pub fn middle(&mut self, selector: &str) -> io::Result<(f64, f64)> {
        let place = self.ask(&format!(
            "(() => {{ const found = document.querySelector({}); found.scrollIntoView({{ block: 'center' }});
                const box = found.getBoundingClientRect(); return [box.x + box.width / 2, box.y + box.height / 2]; }})()",
            json!(selector)
        ))?;
        let at = |n: usize| place[n].as_f64().ok_or_else(|| io::Error::other(format!("{selector} has no place")));
        Ok((at(0)?, at(1)?))
    }

    /// Makes the window this large.
    pub fn size(&mut self, width: u32, height: u32) -> io::Result<()> {
        let size = json!({"width": width, "height": height, "deviceScaleFactor": 1, "mobile": false});
        self.browser.call("Emulation.setDeviceMetricsOverride", size).map(drop)
    }

    /// What it looks like, as PNG.
    pub fn picture(&mut self) -> io::Result<Vec<u8>> {
        let picture = self.browser.call("Page.captureScreenshot", json!({"format": "png"}))?;
        decoded(&picture["data"])
    }

    /// What would be printed, as PDF.
    pub fn printed(&mut self) -> io::Result<Vec<u8>> {
        let paper = json!({"preferCSSPageSize": true, "printBackground": true});
        decoded(&self.browser.call("Page.printToPDF", paper)?["data"])
    }

    /// Errors and warnings of scripts, of the console and of the policy, since the page was opened.
    pub fn complaints(&self) -> Vec<String> {
        let told = ["Runtime.exceptionThrown", "Runtime.consoleAPICalled", "Log.entryAdded"];
        let of = |event: &&Value| event["method"].as_str().is_some_and(|method| told.contains(&method));
        self.browser.events.iter().filter(of).map(|event| event["params"].to_string()).collect()
    }

    /// Addresses of what was asked for since the page was opened, but for the page, and what the proxy heard of.
    pub fn requests(&self) -> Vec<String> {
        let of = |event: &&Value| event["method"] == "Network.requestWillBeSent";
        let addresses =
            self.browser.events.iter().filter(of).filter_map(|event| event["params"]["request"]["url"].as_str());
        let mut all: Vec<String> = addresses.filter(|url| !url.ends_with("/page.html")).map(str::to_owned).collect();
        if let Ok(asked) = self.asked.lock() {
            all.extend(asked.iter().cloned());
        }
        all
    }

    /// What the proxy heard of.
    pub fn asked(&self) -> Vec<String> {
        self.asked.lock().map(|asked| asked.clone()).unwrap_or_default()
    }
}

/// Notes the first line of a request, and says that there is no such thing.
fn hear(mut stream: TcpStream, heard: &Mutex<Vec<String>>) {
    let mut line = String::new();
    if BufReader::new(&stream).read_line(&mut line).is_ok_and(|length| length > 0) {
        let _ = stream.write_all(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
        if let Ok(mut heard) = heard.lock() {
            heard.push(line);
        }
    }
}

fn decoded(data: &Value) -> io::Result<Vec<u8>> {
    BASE64_STANDARD.decode(data.as_str().unwrap_or_default()).map_err(io::Error::other)
}
