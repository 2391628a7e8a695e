//! Whether an instance can forget what it acknowledged. Owns which settings are looked at, which are refused, and what is
//! said about them. Asked at every new connection and again every few seconds: settings change at run time, and after a
//! failover another instance answers.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use redis::cluster_routing::{MultipleNodeRoutingInfo, RoutingInfo};
use redis::{Cmd, RedisResult, Value};

use super::fault::Fault;
use super::link::Connection;

/// What the operator asks of the instance.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Durability {
    /// An instance that can forget is refused.
    #[default]
    Strict,
    /// It is accepted and said aloud: a revocation that was acknowledged may be forgotten.
    Relaxed,
}

impl Durability {
    /// The setting's word.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Strict => "strict",
            Self::Relaxed => "relaxed",
        }
    }

    /// Reads the setting's word.
    pub fn parse(word: &str) -> Option<Self> {
        [Self::Strict, Self::Relaxed].into_iter().find(|durability| durability.as_str() == word)
    }
}

/// What an instance says about itself.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Node {
    /// Which node of a cluster; empty for a single one.
    pub(super) name: String,
    pub(super) info: BTreeMap<String, String>,
    /// The settings; `None` where the server does not let us read them.
    pub(super) config: Option<BTreeMap<String, String>>,
    /// Whether it has WAITAOF.
    pub(super) waits: bool,
}

/// What all instances say.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Findings {
    pub(super) nodes: Vec<Node>,
}

const SETTINGS: [&str; 8] = [
    "appendonly",
    "appendfsync",
    "no-appendfsync-on-rewrite",
    "maxmemory",
    "maxmemory-policy",
    "min-replicas-to-write",
    "min-replicas-max-lag",
    "cluster-require-full-coverage",
];

impl Node {
    pub(super) fn setting(&self, name: &str) -> Option<&str> {
        self.config.as_ref()?.get(name).map(String::as_str)
    }

    pub(super) fn said(&self, name: &str) -> Option<&str> {
        self.info.get(name).map(String::as_str)
    }

    /// Whether a write is acknowledged by the flusher's WAITAOF, for the server flushes later than it answers.
    pub(super) fn flushes_later(&self) -> bool {
        self.waits && self.setting("appendfsync") != Some("always")
    }

    /// In what ways it can forget, each with the remedy.
    pub(super) fn faults(&self) -> Vec<String> {
        let mut faults = Vec::new();
        if self.said("role").is_some_and(|role| role != "master") {
            faults
                .push("it is a replica: writes go to the master. Name the master, or Sentinel, in the URL".to_owned());
        }
        let appendonly =
            self.setting("appendonly").map_or_else(|| self.said("aof_enabled") == Some("1"), |set| set == "yes");
        if !appendonly {
            faults.push(
                "appendonly is no: a restart forgets. Run CONFIG SET appendonly yes, and set it in redis.conf"
                    .to_owned(),
            );
        }
        if let Some(problem) = self.flush_fault() {
            faults.push(problem);
        }
        if self.setting("no-appendfsync-on-rewrite") == Some("yes") {
            faults.push(
                "no-appendfsync-on-rewrite is yes: during a rewrite nothing is flushed. \
                 Run CONFIG SET no-appendfsync-on-rewrite no, and set it in redis.conf"
                    .to_owned(),
            );
        }
        match self.setting("maxmemory-policy").or_else(|| self.said("maxmemory_policy")) {
            Some("noeviction") => {}
            Some(policy) => faults.push(format!(
                "maxmemory-policy is {policy}: full memory evicts revocations. \
                 Run CONFIG SET maxmemory-policy noeviction, and set it in redis.conf"
            )),
            None => faults.push("maxmemory-policy cannot be read: allow CONFIG GET or INFO to this user".to_owned()),
        }
        faults
    }

    fn flush_fault(&self) -> Option<String> {
        if self.waits {
            return None;
        }
        match self.setting("appendfsync") {
            Some("always") => None,
            Some(when) => Some(format!(
                "appendfsync is {when}: what was acknowledged last is not on the disk yet. \
                 Run CONFIG SET appendfsync always, and set it in redis.conf"
            )),
            None => Some(
                "appendfsync cannot be read, and the server has no WAITAOF: allow CONFIG GET to this user \
                 (ACL SETUSER … +config|get), or upgrade to Redis 7.2 or Valkey"
                    .to_owned(),
            ),
        }
    }
}

/// Keeps what was found last, and what is refused because of it.
pub(super) struct Watch {
    durability: Durability,
    cluster: bool,
    replicas: u32,
    place: String,
    found: Mutex<Option<Findings>>,
}

impl Watch {
    pub(super) fn new(durability: Durability, cluster: bool, replicas: u32, place: String) -> Self {
        Self { durability, cluster, replicas, place, found: Mutex::new(None) }
    }

    /// Keeps the findings. Fails where they are of an instance that can forget and that is not accepted.
    pub(super) fn judge(&self, findings: Findings) -> Result<(), Fault> {
        let faults = self.faults(&findings);
        let changed = self.found.lock().unwrap_or_else(PoisonError::into_inner).replace(findings.clone());
        if faults.is_empty() {
            return Ok(());
        }
        let text = faults.join("; ");
        match self.durability {
            Durability::Strict => Err(Fault::unavailable(format!(
                "it can forget what it has acknowledged. {text}. Or accept that revocations may be forgotten: durability = \"relaxed\""
            ))),
            Durability::Relaxed => {
                if changed != Some(findings) {
                    tracing::warn!(redis = %self.place, "durability is relaxed, and revocations may be forgotten: {text}");
                }
                Ok(())
            }
        }
    }

    /// In what ways the instances can forget; of several nodes, each says which it is.
    pub(super) fn faults(&self, findings: &Findings) -> Vec<String> {
        let mut faults = Vec::new();
        for node in &findings.nodes {
            let named = |fault| if node.name.is_empty() { fault } else { format!("{}: {fault}", node.name) };
            faults.extend(node.faults().into_iter().map(named));
            if self.cluster && node.flushes_later() {
                faults.push(format!(
                    "{}: appendfsync is not always, and in a cluster WAITAOF is not used. Run CONFIG SET appendfsync always",
                    node.name
                ));
            }
        }
        if self.cluster && self.replicas > 0 {
            faults.push(
                "replicas= is for one server or Sentinel. In a cluster, set min-replicas-to-write on its nodes"
                    .to_owned(),
            );
        }
        faults
    }

    pub(super) fn found(&self) -> Option<Findings> {
        self.found.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(super) const fn durability(&self) -> Durability {
        self.durability
    }

    /// Whether writes are acknowledged by the flusher.
    pub(super) fn flushes_later(&self) -> bool {
        !self.cluster && self.found().is_some_and(|found| found.nodes.iter().any(Node::flushes_later))
    }
}

/// Asks every instance that takes writes.
pub(super) async fn inspect(connection: &mut Connection) -> RedisResult<Findings> {
    let mut nodes: BTreeMap<String, Node> = BTreeMap::new();
    for (name, answer) in each(connection, redis::cmd("INFO")).await? {
        nodes.entry(name).or_default().info = text(answer).lines().filter_map(info_line).collect();
    }
    for setting in SETTINGS {
        let mut get = redis::cmd("CONFIG");
        get.arg("GET").arg(setting);
        // Managed services and ACLs may forbid it; what cannot be read is judged by what INFO says.
        let Ok(answers) = each(connection, get).await else { break };
        for (name, answer) in answers {
            nodes.entry(name).or_default().config.get_or_insert_default().extend(pairs(answer));
        }
    }
    let mut known = redis::cmd("COMMAND");
    known.arg("INFO").arg("WAITAOF");
    for (name, answer) in each(connection, known).await.unwrap_or_default() {
        let first = match answer {
            Value::Array(list) => list.into_iter().next(),
            _ => None,
        };
        nodes.entry(name).or_default().waits = matches!(first, Some(Value::Array(_)));
    }
    for (name, node) in &mut nodes {
        node.name.clone_from(name);
    }
    Ok(Findings { nodes: nodes.into_values().collect() })
}

/// Asks every master, each answer with the node's name; a single server has the empty name.
async fn each(connection: &mut Connection, cmd: Cmd) -> RedisResult<Vec<(String, Value)>> {
    let cluster = matches!(connection, Connection::Cluster(_));
    let masters = RoutingInfo::MultiNode((MultipleNodeRoutingInfo::AllMasters, None));
    let answer = connection.ask(cmd, masters).await?;
    match answer {
        Value::Map(answers) if cluster => Ok(answers.into_iter().map(|(name, answer)| (text(name), answer)).collect()),
        answer => Ok(vec![(String::new(), answer)]),
    }
}

fn text(value: Value) -> String {
    match value {
        Value::BulkString(bytes) => String::from_utf8_lossy(&bytes).into_owned(),
        Value::SimpleString(text) | Value::VerbatimString { text, .. } => text,
        _ => String::new(),
    }
}

fn info_line(line: &str) -> Option<(String, String)> {
    let (name, value) = line.split_once(':')?;
    Some((name.to_owned(), value.trim_end().to_owned()))
}

fn pairs(answer: Value) -> Vec<(String, String)> {
    match answer {
        Value::Map(pairs) => pairs.into_iter().map(|(name, value)| (text(name), text(value))).collect(),
        Value::Array(list) => {
            let mut list = list.into_iter();
            std::iter::from_fn(|| Some((text(list.next()?), text(list.next()?)))).collect()
        }
        _ => Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn node(settings: &[(&str, &str)]) -> Node {
        let good = [
            ("appendonly", "yes"),
            ("appendfsync", "always"),
            ("no-appendfsync-on-rewrite", "no"),
            ("maxmemory-policy", "noeviction"),
        ];
        let config =
            good.iter().chain(settings).map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        let info = [("role".to_owned(), "master".to_owned())].into();
        Node { name: String::new(), info, config: Some(config), waits: false }
    }

    #[test]
    fn an_instance_that_flushes_before_it_answers_is_accepted() {
        assert_eq!(node(&[]).faults(), Vec::<String>::new());
    }

    #[test]
    fn each_way_to_forget_is_named_with_its_remedy() {
        for (setting, value) in [
            ("appendonly", "no"),
            ("appendfsync", "everysec"),
            ("no-appendfsync-on-rewrite", "yes"),
            ("maxmemory-policy", "allkeys-lru"),
            ("maxmemory-policy", "volatile-ttl"),
        ] {
            let faults = node(&[(setting, value)]).faults();
            assert_eq!(faults.len(), 1, "{setting} {value}: {faults:?}");
            assert!(faults[0].contains(&format!("CONFIG SET {setting} ")), "{faults:?}");
        }
    }

    #[test]
    fn where_the_server_has_waitaof_it_may_flush_later() {
        let node = Node { waits: true, ..node(&[("appendfsync", "everysec")]) };
        assert_eq!(node.faults(), Vec::<String>::new());
        assert!(node.flushes_later());
        let watch = Watch::new(Durability::Strict, true, 0, String::new());
        assert!(watch.judge(Findings { nodes: vec![node] }).is_err(), "not in a cluster");
    }

    #[test]
    fn settings_that_cannot_be_read_are_judged_by_info() {
        let mut node = Node { config: None, ..node(&[]) };
        assert_eq!(node.faults().len(), 3, "nothing is known");
        node.info.insert("aof_enabled".to_owned(), "1".to_owned());
        node.info.insert("maxmemory_policy".to_owned(), "noeviction".to_owned());
        let faults = node.faults();
        assert!(faults.len() == 1 && faults[0].contains("ACL SETUSER"), "{faults:?}");
        node.waits = true;
        assert_eq!(node.faults(), Vec::<String>::new(), "WAITAOF asks for no setting");
    }
}
