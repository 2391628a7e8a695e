//! One address in front of several nodes: nginx, which takes them in turn. Knows no node by name.

use std::fmt::Write as _;
use std::net::SocketAddr;

use rustix::process::Signal;

use crate::error::Result;
use crate::files;
use crate::http;
use crate::port::Port;
use crate::process::Process;
use crate::programs::{command, find};
use crate::scratch::Scratch;

/// The header of each answer that says which node gave it.
pub const ANSWERED_BY: &str = "x-answered-by";

const CONFIG: &str = "nginx.conf";
/// Answered by nginx itself.
const ALIVE: &str = "/front-is-alive";

/// One address in front of several nodes. It ends when this is dropped.
#[derive(Debug)]
pub struct Front {
    process: Process,
    port: Port,
    scratch: Scratch,
}

impl Front {
    /// Reserves the address; nobody listens yet. So the nodes can be told of it before they are started.
    ///
    /// # Errors
    /// [`Error::Missing`](crate::Error::Missing) where nginx is not installed.
    pub fn reserve() -> Result<Self> {
        find("nginx", "nginx-light")?;
        let scratch = Scratch::new("front")?;
        let process = Process::new("nginx", scratch.join("log"));
        Ok(Self { process, port: Port::free()?, scratch })
    }

    /// The address.
    pub fn address(&self) -> SocketAddr {
        self.port.address()
    }

    /// Its URL, without a slash at the end.
    pub fn url(&self) -> String {
        format!("http://{}", self.address())
    }

    /// Sends what comes to these nodes in turn, from now on; returns when it listens. A node that cannot be connected to
    /// is passed over. Each answer names its node in the header [`ANSWERED_BY`].
    ///
    /// # Errors
    /// [`Error::Failed`](crate::Error::Failed) with the end of its log.
    pub fn lead_to(&self, nodes: &[SocketAddr]) -> Result<()> {
        if self.process.is_running() {
            self.process.stop(Signal::TERM)?;
        }
        files::write(&self.scratch.join(CONFIG), &self.config(nodes), None)?;
        let mut server = command(&find("nginx", "nginx-light")?, None)?;
        server.arg("-p").arg(self.scratch.path()).arg("-c").arg(self.scratch.join(CONFIG)).args(["-e", "stderr"]);
        self.process.spawn(server)?;
        let address = self.address();
        self.process.wait_until_ready(|| http::exchange(address, "GET", ALIVE, &[], b"").is_ok())
    }

    fn config(&self, nodes: &[SocketAddr]) -> String {
        let mut servers = String::new();
        for node in nodes {
            let _ = write!(servers, "server {node}; ");
        }
        let folders: String = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
            .map(|name| format!("{name}_temp_path {}; ", self.scratch.join(name).display()))
            .concat();
        // One process: then the turns are exact, and nothing is left when it ends.
        format!(
            "daemon off; master_process off; pid {pid}; error_log stderr warn;\nevents {{}}\n\
             http {{\n access_log off; {folders}\n upstream nodes {{ {servers}}}\n \
             server {{\n  listen {listen};\n  location = {ALIVE} {{ return 200; }}\n  \
             location / {{ proxy_pass http://nodes; proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for; \
             add_header {ANSWERED_BY} $upstream_addr always; }}\n }}\n}}\n",
            pid = self.scratch.join("pid").display(),
            listen = self.address(),
        )
    }
}
