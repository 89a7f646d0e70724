//! What a system call pays that opens nothing. How long it takes is for the benches; here is counted what runs for it.

use crate::watch::{Outcome, events, skipped};
use tests::bpf::{Objects, count_runs};
use tests::{Place, actor_in, skip};

/// getppid(2), so often, and once more as often to warm up.
const CALLS: u64 = 10_000;

#[test]
fn a_system_call_that_opens_nothing_runs_no_program_where_trampolines_see_opens() -> Outcome {
    if skipped("programs that run") {
        return Ok(());
    }
    let counting = match count_runs() {
        Ok(counting) => counting,
        Err(error) => {
            skip::say(&format!("the kernel does not count how often programs run ({error})"));
            return Ok(());
        }
    };
    let sensor = events(&["--kind", "lost"])?;
    let objects = Objects::of(sensor.pid())?;
    let before = objects.runs()?;
    let operations = CALLS.to_string();
    let arguments = ["bench", "getppid", "--batches", "1", "--operations", &operations];
    actor_in(Place::Host, &arguments)?.truth()?;
    let after = objects.runs()?;
    drop(counting);
    sensor.stop()?;

    let ran = |name: &str| after.get(name).zip(before.get(name)).map(|(after, before)| after - before);
    match ran("on_sys_exit") {
        // The portable family: this is what it costs, and it shows that the test sees it.
        Some(runs) => assert!(runs >= 2 * CALLS, "{runs} runs of on_sys_exit for {} system calls", 2 * CALLS),
        None => {
            // The actor itself starts, opens its libraries, and ends; the machine does a little meanwhile.
            let all: u64 = after.keys().filter_map(|name| ran(name)).sum();
            assert!(
                all < CALLS / 2,
                "{all} runs for {} system calls that open nothing: {before:?} {after:?}",
                2 * CALLS
            );
            assert!(ran("on_file_open").is_some_and(|runs| runs > 0), "the test sees what runs: {after:?}");
        }
    }
    Ok(())
}
