//! A server or a client in a process of its own, on a core of its own.

use std::io::{self, BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::time::Duration;
use std::{env, fs, thread};

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use rustix::thread::{CpuSet, sched_setaffinity};

use crate::load::Role;
use crate::peers::MIO;

/// The core of the servers and clients, and the core of the generator.
const PROCESS_CORE: usize = 0;
const GENERATOR_CORE: usize = 1;

pub struct Process {
    child: Child,
    peer: Peer,
}

/// The way in which connections are made.
enum Peer {
    /// To a server at this address.
    Server(SocketAddr),
    /// By a client, which makes a connection for each byte that it receives.
    Client(TcpListener, TcpStream),
}

impl Process {
    pub fn start(name: &str, role: Role) -> io::Result<Process> {
        let this = env::current_exe()?;
        let (child, peer) = match role {
            Role::Server => {
                let mut command = match name {
                    // The server is built next to this program.
                    MIO => Command::new(this.with_file_name("echo_server")),
                    _ => Command::new(&this),
                };
                match name {
                    MIO => command.arg("127.0.0.1:0"),
                    _ => command.args(["serve", name]),
                };
                let mut child = spawn(command.stdout(Stdio::piped()))?;
                let mut line = String::new();
                let output = child.stdout.take().expect("it is piped");
                BufReader::new(output).read_line(&mut line)?;
                let address = line.split("http://").nth(1).and_then(|rest| rest.split('/').next());
                let address = address.and_then(|address| address.parse().ok());
                let address = address.ok_or_else(|| io::Error::other(format!("{name}: {line:?}")));
                (child, Peer::Server(address?))
            }
            Role::Client => {
                let listener = TcpListener::bind("127.0.0.1:0")?;
                let address = listener.local_addr()?.to_string();
                let child = spawn(Command::new(this).args(["connect", name, &address]))?;
                let (control, _) = listener.accept()?;
                control.set_nodelay(true)?;
                (child, Peer::Client(listener, control))
            }
        };
        Ok(Process { child, peer })
    }

    /// Connects to the server.
    pub fn connect(&mut self) -> io::Result<TcpStream> {
        match &self.peer {
            Peer::Server(address) => TcpStream::connect(address),
            Peer::Client(..) => Err(io::Error::other("it is a client")),
        }
    }

    /// Accepts a connection of the client.
    pub fn accept(&mut self) -> io::Result<TcpStream> {
        match &mut self.peer {
            Peer::Client(listener, control) => {
                control.write_all(&[1])?;
                Ok(listener.accept()?.0)
            }
            Peer::Server(_) => Err(io::Error::other("it is a server")),
        }
    }

    /// Returns the time that the threads have run, in user code and in the kernel, once the process
    /// sleeps.
    ///
    /// The kernel counts this time in nanoseconds. Packets on the loopback are handled by their
    /// sender, so each side pays for its own.
    pub fn cpu_time(&self) -> io::Result<Duration> {
        thread::sleep(Duration::from_millis(5));
        let mut nanoseconds = 0;
        for task in fs::read_dir(format!("/proc/{}/task", self.child.id()))? {
            let times = fs::read_to_string(task?.path().join("schedstat"))?;
            let run = times.split(' ').next().and_then(|run| run.parse::<u64>().ok());
            nanoseconds += run.ok_or_else(|| io::Error::other("no time in schedstat"))?;
        }
        Ok(Duration::from_nanos(nanoseconds))
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Starts a process. It inherits the core of the one that starts it.
fn spawn(command: &mut Command) -> io::Result<Child> {
    pin(PROCESS_CORE)?;
    let started = command.spawn();
    pin(GENERATOR_CORE)?;
    started
}

fn pin(core: usize) -> io::Result<()> {
    let mut cores = CpuSet::new();
    cores.set(core);
    Ok(sched_setaffinity(None, &cores)?)
}

/// Raises the limit on open files to its maximum, for this process and those that it starts.
pub fn allow_many_files() -> io::Result<()> {
    let limit = getrlimit(Resource::Nofile);
    Ok(setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, ..limit })?)
}
