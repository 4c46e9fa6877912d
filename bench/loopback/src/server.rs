//! A server as a process of its own, on a core of its own.

use std::io::{self, BufRead, BufReader};
use std::net::SocketAddr;
use std::process::{Child, Command, Stdio};
use std::time::Duration;
use std::{env, fs, thread};

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use rustix::thread::{CpuSet, sched_setaffinity};

/// The core of the servers and that of the generator.
const SERVER_CORE: usize = 0;
const GENERATOR_CORE: usize = 1;

pub const OURS: &str = "websocket-proto";

pub struct Server {
    process: Child,
    pub address: SocketAddr,
}

impl Server {
    /// Starts a server: ours is `examples/echo_server.rs`, which is built beside this program.
    pub fn start(name: &str) -> io::Result<Server> {
        let this = env::current_exe()?;
        let mut command = match name {
            OURS => Command::new(this.with_file_name("echo_server")),
            _ => Command::new(&this),
        };
        match name {
            OURS => command.arg("127.0.0.1:0"),
            _ => command.args(["serve", name]),
        };
        // A process inherits the core of the one that starts it.
        pin(SERVER_CORE)?;
        let started = command.stdout(Stdio::piped()).spawn();
        pin(GENERATOR_CORE)?;
        let mut process = started?;
        let mut line = String::new();
        let output = process.stdout.take().expect("it is piped");
        BufReader::new(output).read_line(&mut line)?;
        let address = line.split("http://").nth(1).and_then(|rest| rest.split('/').next());
        let address = address.and_then(|address| address.parse().ok());
        let address = address.ok_or_else(|| io::Error::other(format!("{name}: {line:?}")))?;
        Ok(Server { process, address })
    }

    /// The time that its threads have run, in user code and in the kernel, once it sleeps.
    ///
    /// The kernel accounts for it in nanoseconds. Packets on the loopback are handled where they
    /// are sent, so each side pays for its own.
    pub fn cpu_time(&self) -> io::Result<Duration> {
        thread::sleep(Duration::from_millis(5));
        let mut nanoseconds = 0;
        for task in fs::read_dir(format!("/proc/{}/task", self.process.id()))? {
            let times = fs::read_to_string(task?.path().join("schedstat"))?;
            let run = times.split(' ').next().and_then(|run| run.parse::<u64>().ok());
            nanoseconds += run.ok_or_else(|| io::Error::other("no time in schedstat"))?;
        }
        Ok(Duration::from_nanos(nanoseconds))
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn pin(core: usize) -> io::Result<()> {
    let mut cores = CpuSet::new();
    cores.set(core);
    Ok(sched_setaffinity(None, &cores)?)
}

/// Lets this process and the servers open as many files as they are allowed to.
pub fn allow_many_files() -> io::Result<()> {
    let limit = getrlimit(Resource::Nofile);
    Ok(setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, ..limit })?)
}
