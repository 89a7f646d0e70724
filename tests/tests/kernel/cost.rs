//! What a system call pays that opens nothing. How long it takes is for the benches; here is counted what runs for it.

use crate::watch::{Outcome, events, skipped};
use tests::bpf::{Objects, count_runs};
use tests::{Place, actor_in, skip};

/// getppid(2), so often, and once more as often to warm up.
const CALLS: u64 = 10_000;

#[test]
fn a_system_call_that_does_nothing_of_interest_runs_the_filter_of_calls_and_nothing_else() -> Outcome {
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
    // Whichever hooks see opens: how many bytes moved is known at the exit of system calls only.
    let filter = ran("on_sys_exit").ok_or("on_sys_exit is not attached")?;
    assert!(
        filter >= 2 * CALLS,
        "{filter} runs of on_sys_exit for {} system calls: the test sees what runs",
        2 * CALLS
    );
    // The actor itself starts, opens its libraries, and ends; the machine does a little meanwhile.
    let others: u64 = after.keys().filter(|name| *name != "on_sys_exit").filter_map(|name| ran(name)).sum();
    assert!(others < CALLS / 2, "{others} runs for {} system calls: {before:?} {after:?}", 2 * CALLS);
    Ok(())
}
