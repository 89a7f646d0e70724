use super::*;
use std::path::Path;

/// A fake machine: a directory with the files that a test writes.
struct Machine {
    directory: PathBuf,
}

impl Machine {
    /// A machine on which all is well, but for its types.
    fn new(name: &str) -> Machine {
        let directory = std::env::temp_dir().join(format!("weir-fake-{name}-{}", std::process::id()));
        let machine = Machine { directory };
        machine.write("proc/sys/kernel/osrelease", "6.1.0-18-cloud-amd64\n");
        machine.write("proc/self/status", "Name:\tweir\nCapEff:\t000001ffffffffff\n");
        machine.write(
            "proc/self/mountinfo",
            "24 1 0:22 / /proc rw - proc proc rw\n41 31 0:38 / /sys/fs/cgroup rw,relatime shared:4 - cgroup2 cgroup2 rw\n",
        );
        machine.write("sys/kernel/security/lockdown", "[none] integrity confidentiality\n");
        machine.write("sys/kernel/security/lsm", "lockdown,capability,bpf\n");
        machine.write("proc/sys/net/core/bpf_jit_enable", "1\n");
        machine.write("proc/sys/kernel/unprivileged_bpf_disabled", "2\n");
        machine.write("sys/fs/cgroup/cgroup.procs", "");
        machine
    }

    fn write(&self, path: &str, content: &str) {
        let path = self.directory.join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, content).unwrap();
    }

    fn report(&self) -> Report {
        let roots =
            Roots { proc: self.directory.join("proc"), sys: self.directory.join("sys"), root: self.directory.clone() };
        Report { findings: files::probe(&roots) }
    }

    fn state(&self, name: &str) -> State {
        let report = self.report();
        let finding = report.findings.iter().find(|finding| finding.name == name).unwrap();
        assert_eq!(finding.mend.is_none(), finding.state == State::Ok, "{finding:?}");
        assert!(!finding.meaning.is_empty());
        finding.state
    }
}

impl Drop for Machine {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.directory);
    }
}

#[test]
fn a_machine_on_which_all_is_well() {
    let machine = Machine::new("well");
    for name in [
        "kernel",
        "capabilities to load",
        "capabilities to look",
        "lockdown",
        "cgroup v2",
        "locked memory",
        "jit",
        "unprivileged bpf",
    ] {
        assert_eq!(machine.state(name), State::Ok, "{name}");
    }
    assert_eq!(machine.state("btf"), State::Missing, "the fake has none");
    assert_eq!(machine.report().worst(), State::Missing);
    assert_eq!(machine.report().count(State::Missing), 1);
}

#[test]
fn each_thing_that_is_wrong_is_found() {
    for (name, path, content, state) in [
        ("kernel", "proc/sys/kernel/osrelease", "5.4.0-150-generic", State::Missing),
        ("kernel", "proc/sys/kernel/osrelease", "5.10.0", State::Ok),
        ("kernel", "proc/sys/kernel/osrelease", "what", State::Degraded),
        ("capabilities to load", "proc/self/status", "CapEff:\t0000000000000000\n", State::Missing),
        ("capabilities to load", "proc/self/status", "CapEff:\t000000c000001000\n", State::Ok),
        ("capabilities to load", "proc/self/status", "CapEff:\t000000c000000000\n", State::Missing),
        ("capabilities to load", "proc/self/status", "CapEff:\t0000000000200000\n", State::Ok),
        ("capabilities to look", "proc/self/status", "CapEff:\t000000c000001000\n", State::Degraded),
        ("lockdown", "sys/kernel/security/lockdown", "none integrity [confidentiality]\n", State::Missing),
        ("lockdown", "sys/kernel/security/lockdown", "none [integrity] confidentiality\n", State::Ok),
        (
            "cgroup v2",
            "proc/self/mountinfo",
            "41 31 0:38 / /sys/fs/cgroup/cpu rw - cgroup cgroup rw,cpu\n",
            State::Missing,
        ),
        ("cgroup v2", "proc/self/mountinfo", "41 31 0:38 /pod /x rw - cgroup2 cgroup2 rw\n", State::Missing),
        ("cgroup v2", "sys/fs/cgroup/cgroup.events", "populated 1\n", State::Degraded),
        ("btf", "sys/kernel/btf/vmlinux", "not BTF", State::Missing),
        ("jit", "proc/sys/net/core/bpf_jit_enable", "0\n", State::Degraded),
        ("unprivileged bpf", "proc/sys/kernel/unprivileged_bpf_disabled", "0\n", State::Unused),
    ] {
        let machine = Machine::new("wrong");
        machine.write(path, content);
        assert_eq!(machine.state(name), state, "{name} {content}");
    }
}

#[test]
fn locked_memory_matters_before_5_11_only() {
    let machine = Machine::new("memlock");
    machine.write("proc/sys/kernel/osrelease", "5.10.0");
    assert_eq!(machine.state("locked memory"), State::Ok, "CAP_SYS_RESOURCE");
    machine.write("proc/self/status", "CapEff:\t000000c000001000\n");
    assert_eq!(machine.state("locked memory"), State::Missing, "no limits to be read");
    for (limit, state) in [("65536", State::Missing), ("unlimited", State::Ok), ("1073741824", State::Ok)] {
        let line = format!("Max locked memory         {limit}                {limit}                bytes\n");
        machine.write("proc/self/limits", &line);
        assert_eq!(machine.state("locked memory"), state, "{limit}");
    }
}

#[test]
fn in_a_network_namespace_of_its_own_the_compiler_of_programs_is_not_known() {
    let machine = Machine::new("jit");
    std::fs::remove_file(machine.directory.join("proc/sys/net/core/bpf_jit_enable")).expect("remove");
    assert_eq!(machine.state("jit"), State::Unused);
}

#[test]
fn an_empty_machine_gives_sentences_and_no_panic() {
    let roots =
        Roots { proc: Path::new("/no/such").into(), sys: Path::new("/no/such").into(), root: "/no/such".into() };
    let report = Report { findings: files::probe(&roots) };
    assert_eq!(report.worst(), State::Missing);
}

#[test]
fn this_machine_is_looked_at_in_full() {
    let report = probe();
    for finding in &report.findings {
        println!("{:9} {:22} {} {:?}", finding.state.name(), finding.name, finding.meaning, finding.mend);
    }
    let names: std::collections::HashSet<_> = report.findings.iter().map(|finding| finding.name).collect();
    assert_eq!(names.len(), report.findings.len(), "names are unique");
    assert!(names.contains("loading programs"));
}
